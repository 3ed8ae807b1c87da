"""Prompts longer than a text encoder reads at once: cut into chunks as A1111 cuts them, embedded with their weights.

A chunk holds as many tokens as the encoder reads beside the marks at both ends, which is 75 for CLIP. Where one is
full and a comma lies among its last 20 tokens, what follows that comma goes into the next. Hidden states of the chunks
stand one behind the other, and the pooled vector is the first chunk's. A token's weight multiplies its hidden state,
and the states of a chunk are then scaled so that their mean stays what it was.

The chunks of SDXL's two encoders stand side by side. Where their vocabularies differ, as Japanese SDXL's do, one may
need more of them than the other: empty ones fill up what lies between two breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from .prompt_syntax import PLAIN, PromptSyntax, WeightedText, parse_prompt

COMMA_REACH = 20  # tokens; A1111's default

_SOME_WORD = "a"  # tells what a tokenizer puts before and after words


@dataclass(frozen=True)
class PromptChunk:
    """What a text encoder reads at once: token ids with the marks at both ends, and a weight for each."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


class PromptChunker:
    """Cuts prompts into chunks of tokens for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        """Learn from a tokenizer of transformers which marks it puts around words.

        Args:
            tokenizer: its `model_max_length` is what the encoder reads at once, marks included.
        """
        self._tokenizer = tokenizer
        whole, word = tokenizer(_SOME_WORD).input_ids, self._ids_of(_SOME_WORD)
        place = next(n for n in range(len(whole)) if whole[n : n + len(word)] == word)
        self._before, self._after = tuple(whole[:place]), tuple(whole[place + len(word) :])
        self.room = tokenizer.model_max_length - len(self._before) - len(self._after)
        comma = self._ids_of(",")
        # A vocabulary without a comma gives what stands for all that is unknown.
        self._comma = comma[0] if len(comma) == 1 and comma[0] != tokenizer.unk_token_id else None

    def cut(self, part: Sequence[WeightedText]) -> list[PromptChunk]:
        """Cut what lies between two breaks into chunks, one at least."""
        chunks: list[PromptChunk] = []
        ids: list[int] = []
        weights: list[float] = []
        comma: int | None = None  # where the last one stands in the chunk

        def close(stop: int) -> None:
            nonlocal ids, weights, comma
            chunks.append(self._chunk(ids[:stop], weights[:stop]))
            ids, weights, comma = ids[stop:], weights[stop:], None

        for stretch in part:
            for token in self._ids_of(stretch.text):
                if token == self._comma:
                    comma = len(ids)
                elif len(ids) == self.room and comma is not None and self.room - comma <= COMMA_REACH:
                    close(comma + 1)
                if len(ids) == self.room:
                    close(self.room)
                ids.append(token)
                weights.append(stretch.weight)
        if ids or not chunks:
            close(len(ids))
        return chunks

    def empty(self) -> PromptChunk:
        """Return a chunk without words."""
        return self._chunk([], [])

    def _ids_of(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        return ids

    def _chunk(self, ids: Sequence[int], weights: Sequence[float]) -> PromptChunk:
        rest = self.room - len(ids)
        return PromptChunk(
            (*self._before, *ids, *self._after, *[self._tokenizer.pad_token_id] * rest),
            (*[1.0] * len(self._before), *weights, *[1.0] * (len(self._after) + rest)),
        )


def chunk_prompt(prompt: str, chunkers: Sequence[PromptChunker]) -> list[tuple[PromptChunk, ...]]:
    """Cut a prompt in A1111's syntax into chunks.

    Args:
        prompt: as it is written.
        chunkers: one per text encoder.

    Returns:
        The chunks in order, each as one per encoder.
    """
    chunks: list[tuple[PromptChunk, ...]] = []
    parts = parse_prompt(prompt)
    for number, part in enumerate(parts, start=1):
        cut = [chunker.cut(part) for chunker in chunkers]
        if chunks and number == len(parts) and cut == [[chunker.empty()] for chunker in chunkers]:
            break  # nothing follows the last break
        chunks += [
            tuple(one or chunker.empty() for one, chunker in zip(row, chunkers, strict=True))
            for row in zip_longest(*cut)
        ]
    return chunks


@torch.no_grad()
def embed_prompts(pipeline: StableDiffusionXLPipeline, prompts: Sequence[str]) -> dict[str, torch.Tensor]:
    """Embed prompts in A1111's syntax.

    Args:
        pipeline: whose text encoders read them.
        prompts: as many chunks long each; see `group_by_length`.

    Returns:
        By the names of the pipeline's arguments, `prompt_embeds` and `negative_prompt_embeds`, float [prompts, tokens,
        width], and `pooled_prompt_embeds` and `negative_pooled_prompt_embeds`, float [prompts, width].

    Raises:
        ValueError: the prompts are not of one length in chunks.
    """
    chunkers = _chunkers(pipeline)
    cut = [chunk_prompt(prompt, chunkers) for prompt in prompts]
    encoders = (pipeline.text_encoder, pipeline.text_encoder_2)
    states, pooled = [], None
    for row in zip(*cut, strict=True):  # a chunk of each prompt
        side_by_side = []
        for number, encoder in enumerate(encoders):
            output = _run(encoder, [chunks[number] for chunks in row], pipeline._execution_device)
            side_by_side.append(_weighted(output.hidden_states[-2], [chunks[number].weights for chunks in row]))
        states.append(torch.cat(side_by_side, dim=-1))
        pooled = output[0] if pooled is None else pooled
    dtype = pipeline.text_encoder_2.dtype
    # What guidance points away from is one chunk long. Keys that stand there several times change no attention.
    _, negative, _, negative_pooled = pipeline.encode_prompt([""] * len(prompts), do_classifier_free_guidance=True)
    assert pooled is not None
    return {
        "prompt_embeds": torch.cat(states, dim=1).to(dtype),
        "negative_prompt_embeds": negative.repeat(1, len(states), 1),
        "pooled_prompt_embeds": pooled.to(dtype),
        "negative_pooled_prompt_embeds": negative_pooled,
    }


def encode_prompts(
    pipeline: StableDiffusionXLPipeline, prompts: Sequence[str], syntax: PromptSyntax
) -> tuple[torch.Tensor, ...]:
    """Embed prompts, plain ones as diffusers does.

    Args:
        pipeline: whose text encoders read them.
        prompts: all of one group of `group_by_length`.
        syntax: how they are read.

    Returns:
        What `embed_prompts` gives, in its order.
    """
    if syntax == PLAIN:
        embedded: tuple[torch.Tensor, ...] = pipeline.encode_prompt(list(prompts), do_classifier_free_guidance=True)
        return embedded
    return tuple(embed_prompts(pipeline, prompts).values())


def group_by_length(
    pipeline: StableDiffusionXLPipeline, prompts: Sequence[tuple[str, PromptSyntax]]
) -> list[list[int]]:
    """Group prompts by what can be drawn in one batch: read alike, and as many chunks long.

    Args:
        pipeline: whose text encoders read them.
        prompts: each with its syntax; plain ones are of one length, as they are cut short.

    Returns:
        Numbers of prompts, by group.
    """
    chunkers = _chunkers(pipeline) if any(syntax != PLAIN for _, syntax in prompts) else []
    groups: dict[tuple[str, int], list[int]] = {}
    for number, (prompt, syntax) in enumerate(prompts):
        length = 1 if syntax == PLAIN else len(chunk_prompt(prompt, chunkers))
        groups.setdefault((syntax, length), []).append(number)
    return list(groups.values())


def truncated_prompts(pipeline: StableDiffusionXLPipeline, prompts: Sequence[str]) -> list[str]:
    """Return the plain prompts that one of the text encoders sees only the beginning of."""
    tokenizers = [pipeline.tokenizer, pipeline.tokenizer_2]

    def too_long(prompt: str) -> bool:
        lengths = [(len(one(prompt, verbose=False).input_ids), one.model_max_length) for one in tokenizers]
        return any(length > limit for length, limit in lengths)

    return [prompt for prompt in prompts if too_long(prompt)]


def _chunkers(pipeline: StableDiffusionXLPipeline) -> list[PromptChunker]:
    return [PromptChunker(tokenizer) for tokenizer in (pipeline.tokenizer, pipeline.tokenizer_2)]


def _run(encoder: Any, chunks: Sequence[PromptChunk], device: torch.device) -> Any:
    ids = torch.tensor([chunk.ids for chunk in chunks], device=device)
    return encoder(ids, output_hidden_states=True)


def _weighted(states: torch.Tensor, weights: Sequence[Sequence[float]]) -> torch.Tensor:
    """Multiply hidden states by the weights of their tokens, and bring each chunk back to its mean.

    A1111 takes the mean over all that is encoded at once. Here it is each chunk's own, as A1111's is for one picture: a
    picture does not depend on those that are drawn beside it.

    Args:
        states: float [chunks, tokens, width].
        weights: of each chunk's tokens.

    Returns:
        As `states`, which are returned as they are where all weights are 1.
    """
    factors = torch.tensor(weights, dtype=torch.float32, device=states.device)  # [chunks, tokens]
    if bool((factors == 1).all()):
        return states
    plain = states.float()
    weighted = plain * factors[..., None]
    means = [one.mean(dim=(1, 2), keepdim=True) for one in (plain, weighted)]
    changed = (factors != 1).any(dim=1)[:, None, None]
    return torch.where(changed, (weighted * (means[0] / means[1])).to(states.dtype), states)
