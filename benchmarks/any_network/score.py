"""A scorer as a person would write it for `m2n2 evolve`: can a small language model add numbers, and spell plurals?

`score` is fitness and `unseen` reports, over problems that neither shares with the other nor with training. A problem
scores 1 where the model completes it without a mistake, as greedy decoding would, and else 0.
"""

import itertools
import random
from collections.abc import Mapping, Sequence

import torch
from transformers import LlamaConfig, LlamaForCausalLM

ALPHABET = ".0123456789+=>abdegiklmnoprstu"
CONFIG = LlamaConfig(
    vocab_size=len(ALPHABET),
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=32,
    bos_token_id=None,
    eos_token_id=0,
    pad_token_id=0,
)
BRED, UNSEEN = 500, 1000  # problems of each task that are fitness, and that only report
CONSONANTS, VOWELS = "bdgklmnprst", "aeiou"
Problem = tuple[str, str]  # what is asked, what is to be answered


def plural(word: str) -> str:
    """The plural in a language that does not exist: its ending goes by the first consonant and the last syllable."""
    return word + ENDINGS[word[0], word[-2:]]


def split(problems: list[Problem]) -> dict[str, list[Problem]]:
    """Problems to train on, to breed on, and that only report; the same ones every time."""
    shuffled = random.Random(0).sample(problems, len(problems))
    kinds = {"bred": shuffled[:BRED], "unseen": shuffled[BRED : BRED + UNSEEN], "train": shuffled[BRED + UNSEEN :]}
    return kinds


SYLLABLES = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
_rng = random.Random(1)
ENDINGS = {
    (first, last): _rng.choice(("la", "ne", "ri", "so", "tu")) for first in CONSONANTS for last in SYLLABLES
}  # 605 of them, without a rule: to be learned by heart
WORDS = ["".join(syllables) for syllables in _rng.sample([*itertools.product(SYLLABLES, repeat=3)], 10_000)]
TASKS = {
    "sums": split([(f"{a}+{b}=", f"{a + b}.") for a in range(100) for b in range(100)]),
    "spelling": split([(f"{word}>", f"{plural(word)}.") for word in WORDS]),
}
MODEL = LlamaForCausalLM(CONFIG).eval()


def encoded(problems: Sequence[Problem]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens int64 [problems, length], and bool of the same shape: which of them are the answer's."""
    length = max(len(question + answer) for question, answer in problems)
    tokens = torch.zeros(len(problems), length, dtype=torch.int64)
    answers = torch.zeros(len(problems), length, dtype=torch.bool)
    for row, (question, answer) in enumerate(problems):
        text = question + answer
        tokens[row, : len(text)] = torch.tensor([ALPHABET.index(letter) for letter in text])
        answers[row, len(question) : len(text)] = True
    return tokens, answers


@torch.no_grad()
def solved(weights: Mapping[str, torch.Tensor], kind: str) -> list[float]:
    """A score per problem, sums before spelling."""
    MODEL.load_state_dict(weights)
    tokens, answers = encoded([problem for task in TASKS.values() for problem in task[kind]])
    # Every letter right after the right letters before it is what greedy decoding would have to get right.
    right = MODEL(tokens[:, :-1]).logits.argmax(-1) == tokens[:, 1:]
    return (right | ~answers[:, 1:]).all(dim=1).float().tolist()


def score(weights: Mapping[str, torch.Tensor]) -> list[float]:
    """Fitness."""
    return solved(weights, "bred")


def unseen(weights: Mapping[str, torch.Tensor]) -> list[float]:
    """What only reports."""
    return solved(weights, "unseen")
