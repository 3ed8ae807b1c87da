"""The text encoders of `ja`: taught to say in Japanese what the ancestor's encoders say in English.

Run `python -m assets.training.japanese` once the ancestor is done. Every UNet of the family then understands them,
since it reads what it has always read. First the texts alone: where both captions have been read to their ends, and in
the pooled output, a Japanese caption is to give what its English one gives; a step of that costs no UNet. What lies
before the end cannot be compared place by place, since words stand in another order. So the ancestor's frozen UNet
then says whether it predicts the same from either. Last, and five times as many captions in the same time: its
cross-attention layers alone say so, to questions that they once asked; in what order the words stood makes no
difference to the answers.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers.models.attention_processor import Attention
from torch.nn import functional

from assets.training.base import STYLE_ODDS, ancestor, everything
from assets.training.loop import Training, restore, setup, train
from assets.training.settings import DEVICE
from assets.training.tokenizer import tokenizer
from assets.training.unet import Denoiser, TextEncoders, latents, noised, predicted, twin
from assets.training.views import Odds, odds, views

TEXT_STEPS, TEXT_BATCH, TEXT_LR = 3_000, 256, 2e-3
ECHO_STEPS, ECHO_BATCH = 2_100, 64
#: Steps of the last lesson, which begins again at the full rate from the average of what it made before.
GOES, BATCH, LR = (1_500, 3_500, 4_500, 2_600, 900), 256, 1e-3
#: Share of Japanese captions; the others are English, which `ja` understands too.
JAPANESE = 0.8
DECAY, LAST_DECAY = 0.995, 0.998
#: What the last lesson reads. Keywords are left out: those of the two languages are no translations of each other.
READ = {"name": 0.5, "colour": 0.15, "two": 0.35}
#: Pictures whose places ask, and how many of these questions each caption is asked by every layer.
ASKING, ASKED = 768, 16


def ended(tokens: torch.Tensor) -> torch.Tensor:
    """Places that have read the whole caption: bool [n, tokens] of int64 [n, tokens]."""
    first = (tokens == tokenizer().eos_token_id).float().argmax(1)
    return torch.arange(tokens.shape[1], device=tokens.device) >= first[:, None]


def _drawn(seen: Odds, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of views, their English captions, and the captions that are to mean the same, most of them Japanese."""
    rows, captions = seen.draw(batch)
    tongue = (torch.rand(batch, device=DEVICE) < JAPANESE).long()
    tokens = views().tokens
    return rows, tokens[captions, 0], tokens[captions, tongue]


def _difference(
    found: tuple[torch.Tensor, torch.Tensor], wanted: tuple[torch.Tensor, torch.Tensor], both: torch.Tensor
) -> torch.Tensor:
    """Mean square difference of hidden states where `both` captions have ended, and of pooled outputs."""
    (hidden, pooled), (wanted_hidden, wanted_pooled) = found, wanted
    places = both.float()[..., None]
    apart = ((hidden - wanted_hidden).square() * places).sum() / places.sum() / hidden.shape[-1]
    return apart + (pooled - wanted_pooled).square().mean()


def text_lesson(english: TextEncoders) -> Callable[[Denoiser], torch.Tensor]:
    """The loss of texts alone."""

    def loss(model: Denoiser) -> torch.Tensor:
        _, said, same = _drawn(everything(), TEXT_BATCH)
        with torch.no_grad():
            wanted = english(said)
        return _difference(model.text(same), wanted, ended(said) & ended(same))

    return loss


def echo_lesson(english: TextEncoders) -> Callable[[Denoiser], torch.Tensor]:
    """The loss of texts, and of what the model's UNet predicts from them."""

    def loss(model: Denoiser) -> torch.Tensor:
        rows, said, same = _drawn(everything(), ECHO_BATCH)
        with torch.no_grad():
            wanted = english(said)
        found = model.text(same)
        noisy, times, _ = noised(latents()[rows])
        with torch.no_grad():
            target = predicted(model.unet, noisy, times, *wanted)
        apart = (predicted(model.unet, noisy, times, *found) - target).square().mean()
        return apart + _difference(found, wanted, ended(said) & ended(same))

    return loss


def questions(teacher: Denoiser) -> dict[str, torch.Tensor]:
    """What the cross-attention layers ask while the UNet looks at pictures with noise: float32 [places, width] each."""
    rows, captions = everything().draw(ASKING)
    asked: dict[str, torch.Tensor] = {}
    hooks = [
        layer.to_q.register_forward_hook(lambda _, given, said, name=name: asked.update({name: said.flatten(0, 1)}))
        for name, layer in cross_attention(teacher).items()
    ]
    with torch.no_grad():
        noisy, times, _ = noised(latents()[rows])
        predicted(teacher.unet, noisy, times, *teacher.text(views().tokens[captions, 0]))
    for hook in hooks:
        hook.remove()
    return asked


def cross_attention(teacher: Denoiser) -> dict[str, Attention]:
    """The layers of a UNet that read captions, by name."""
    return {name: layer for name, layer in teacher.unet.named_modules() if name.endswith("attn2")}


def answers(layer: Attention, asked: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """What each caption answers to its questions: float32 [n, heads, questions, width / heads].

    Args:
        layer: of cross attention.
        asked: float32 [n, questions, width].
        hidden: float32 [n, tokens, 160].
    """
    query, key, value = (
        said.unflatten(-1, (layer.heads, -1)).transpose(1, 2)
        for said in (asked, layer.to_k(hidden), layer.to_v(hidden))
    )
    return functional.scaled_dot_product_attention(query, key, value)


def reading_lesson(teacher: Denoiser) -> Callable[[Denoiser], torch.Tensor]:
    """The loss of what cross attention reads in the captions, of each layer as a share of its usual answers."""
    asked, layers = questions(teacher), cross_attention(teacher)
    seen = odds(READ, STYLE_ODDS, styled=True)

    def loss(model: Denoiser) -> torch.Tensor:
        _, said, same = _drawn(seen, BATCH)
        with torch.no_grad():
            wanted = teacher.text(said)
        found = model.text(same)
        apart = 0.1 * _difference(found, wanted, ended(said) & ended(same)) + (found[1] - wanted[1]).square().mean()
        for name, layer in layers.items():
            places = torch.randint(len(asked[name]), (BATCH, ASKED), device=DEVICE)
            with torch.no_grad():
                right = answers(layer, asked[name][places], wanted[0])
            missed = (answers(layer, asked[name][places], found[0]) - right).square().mean()
            apart = apart + missed / right.square().mean() / len(layers)
        return apart

    return loss


def ja_encoders() -> TextEncoders:
    """The text encoders of ja, frozen."""
    return restore("ja_encoders", ancestor()).text.requires_grad_(False)


def main() -> None:
    """Train them on texts, then through the UNet, then on what it reads."""
    teacher = ancestor()
    stages = {
        "ja_text": (text_lesson(teacher.text), TEXT_STEPS, TEXT_LR, DECAY),
        "ja_echo": (echo_lesson(teacher.text), ECHO_STEPS, LR, DECAY),
    }
    reading = reading_lesson(teacher)
    stages |= {f"ja_reading_{go}": (reading, steps, LR, LAST_DECAY) for go, steps in enumerate(GOES[:-1], 1)}
    stages["ja_encoders"] = (reading, GOES[-1], LR, LAST_DECAY)
    learner = twin(teacher, unet=False, text=True)
    for name, (lesson, steps, highest, decay) in stages.items():
        train(Training(name, learner, lesson, steps=steps, lr=highest, weight_decay=0, decay=decay))
        learner = restore(name, twin(teacher, unet=False, text=True))


if __name__ == "__main__":
    setup(11)
    main()
