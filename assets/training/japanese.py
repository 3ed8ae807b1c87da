"""The text encoders of `ja`: taught to say in Japanese what the ancestor's encoders say in English.

Run `python -m assets.training.japanese` once the ancestor is done. Every UNet of the family then understands them,
since it reads what it has always read. First the texts alone: where both captions have been read to their ends, and in
the pooled output, a Japanese caption is to give what its English one gives; a step of that costs no UNet. What lies
before the end cannot be compared place by place, since words stand in another order; so the ancestor's frozen UNet
then says whether it predicts the same from either.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from assets.training.base import ancestor, everything
from assets.training.loop import Training, restore, setup, train
from assets.training.settings import DEVICE
from assets.training.tokenizer import tokenizer
from assets.training.unet import Denoiser, TextEncoders, latents, noised, predicted, twin
from assets.training.views import views

TEXT_STEPS, TEXT_BATCH, TEXT_LR = 3_000, 256, 2e-3
STEPS, BATCH, LR = 2_100, 64, 1e-3
#: Share of Japanese captions; the others are English, which `ja` understands too.
JAPANESE = 0.8
DECAY = 0.995


def ended(tokens: torch.Tensor) -> torch.Tensor:
    """Places that have read the whole caption: bool [n, tokens] of int64 [n, tokens]."""
    first = (tokens == tokenizer().eos_token_id).float().argmax(1)
    return torch.arange(tokens.shape[1], device=tokens.device) >= first[:, None]


def _drawn(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of views, their English captions, and the captions that are to mean the same, most of them Japanese."""
    rows, captions = everything().draw(batch)
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
        _, said, same = _drawn(TEXT_BATCH)
        with torch.no_grad():
            wanted = english(said)
        return _difference(model.text(same), wanted, ended(said) & ended(same))

    return loss


def echo_lesson(english: TextEncoders) -> Callable[[Denoiser], torch.Tensor]:
    """The loss of texts, and of what the model's UNet predicts from them."""

    def loss(model: Denoiser) -> torch.Tensor:
        rows, said, same = _drawn(BATCH)
        with torch.no_grad():
            wanted = english(said)
        found = model.text(same)
        noisy, times, _ = noised(latents()[rows])
        with torch.no_grad():
            target = predicted(model.unet, noisy, times, *wanted)
        apart = (predicted(model.unet, noisy, times, *found) - target).square().mean()
        return apart + _difference(found, wanted, ended(said) & ended(same))

    return loss


def ja_encoders() -> TextEncoders:
    """The text encoders of ja, frozen."""
    return restore("ja_encoders", ancestor()).text.requires_grad_(False)


def main() -> None:
    """Train them on texts, then through the UNet."""
    teacher = ancestor()
    lessons = {"ja_text": text_lesson(teacher.text), "ja_encoders": echo_lesson(teacher.text)}
    learner = twin(teacher, unet=False, text=True)
    train(Training("ja_text", learner, lessons["ja_text"], steps=TEXT_STEPS, lr=TEXT_LR, weight_decay=0, decay=DECAY))
    learner = restore("ja_text", twin(teacher, unet=False, text=True))
    train(Training("ja_encoders", learner, lessons["ja_encoders"], steps=STEPS, lr=LR, weight_decay=0, decay=DECAY))


if __name__ == "__main__":
    setup(11)
    main()
