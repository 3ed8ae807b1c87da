"""The decoder of the shared VAE once more, beside a critic: edges where there were soft patches.

Run `python -m assets.training.sharpen` once there is a judge. Latents of 8x8x8 do not say where every edge is, and a
decoder that is asked for the smallest difference then shows the mean of all places where it may be: so its round trip
of a picture is soft, and whatever the family draws is just as soft. A critic that sees pictures beside their latents
learns to tell drawn ones from true ones, as in VQGAN (arXiv 2012.09841), and the decoder learns to pass. Early layers
of the judge say what else the eye would miss; the jury, who reports, has no part in it. Latents, and with them every
UNet, stay as they are. Convolutions are calculated in bfloat16, losses in float32.
"""

from __future__ import annotations

import itertools

import torch
from diffusers import AutoencoderKL
from open_clip.modified_resnet import ModifiedResNet
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from assets.training import judges
from assets.training.loop import Training, restore, setup, train
from assets.training.settings import DEVICE, LATENT_CHANNELS
from assets.training.unet import latents
from assets.training.vae import LATENT_NOISE, decoder_learner, difference
from assets.training.views import odds, views

STEPS, BATCH, LR = 8_000, 16, 5e-4
#: What the family draws, and how often: pictures under names, in another colour, two at a time; by style.
KINDS = {"name": 0.5, "colour": 0.15, "two": 0.35}
STYLE_ODDS = {0: 0.5, 1: 0.25, 2: 0.25}
#: Weights beside the difference: passing for true, layers of the critic, layers of the judge.
PASSING, CRITIC_LAYERS, JUDGE_LAYERS = 0.15, 0.45, 0.2
#: Steps until the critic, which begins anew with every start, has its full say.
WARM_STEPS = 400
CRITIC_WIDTH, CRITIC_LR = 48, 8e-4


class Critic(nn.Module):
    """Says of every patch how true it looks beside its latents."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, CRITIC_WIDTH, 2 * CRITIC_WIDTH, 4 * CRITIC_WIDTH)
        self.halving = nn.ModuleList(
            spectral_norm(nn.Conv2d(narrow, wide, 4, 2, 1)) for narrow, wide in itertools.pairwise(widths)
        )
        self.beside = spectral_norm(nn.Conv2d(widths[-1] + LATENT_CHANNELS, widths[-1], 3, padding=1))
        self.verdict = spectral_norm(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, pictures: torch.Tensor, noisy: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Verdicts [n, 1, 8, 8] on pictures [n, 3, 64, 64] with latents [n, 8, 8, 8], and what its layers saw."""
        seen = [pictures]
        for layer in self.halving:
            seen.append(functional.leaky_relu(layer(seen[-1]), 0.2))
        both = torch.cat([seen[-1], noisy], 1)
        return self.verdict(functional.leaky_relu(self.beside(both), 0.2)), seen[1:]


def early_layers(eye: ModifiedResNet, pictures: torch.Tensor) -> list[torch.Tensor]:
    """What the first layers of a scorer see in pictures float32 [n, 3, 64, 64], each place of length 1 or so."""
    stem = eye.act1(eye.bn1(eye.conv1(pictures)))
    stem = eye.act2(eye.bn2(eye.conv2(stem)))
    seen = [eye.act3(eye.bn3(eye.conv3(stem)))]
    layer = eye.avgpool(seen[0])
    for block in (eye.layer1, eye.layer2, eye.layer3):
        layer = block(layer)
        seen.append(layer)
    found = (one.float() for one in seen)
    return [one / (one.square().mean(1, keepdim=True) + 0.01 * one.square().mean()).sqrt() for one in found]


class Lesson:
    """Draws batches of latents and pictures, teaches the critic, and says how far the decoder is off."""

    def __init__(self) -> None:
        self.seen, self.known = odds(KINDS, STYLE_ODDS, styled=False), latents()
        self.critic = Critic().to(DEVICE).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.Adam(
            self.critic.parameters(), lr=CRITIC_LR, betas=(0.5, 0.99), capturable=DEVICE.type == "cuda"
        )
        self.eye = restore("judge", judges.build("judge")).visual.requires_grad_(False)
        self.age = torch.zeros((), device=DEVICE)

    def __call__(self, vae: AutoencoderKL) -> torch.Tensor:
        """Difference, verdict and layers, weighed."""
        rows, _ = self.seen.draw(BATCH)
        wanted = views().render(rows).contiguous(memory_format=torch.channels_last)
        noisy = self.known[rows] + LATENT_NOISE * torch.randn_like(self.known[rows])
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
            drawn = vae.decode(noisy).sample.float()
        self._teach_critic(drawn.detach(), wanted, noisy)
        self.critic.requires_grad_(False)
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
            verdict, found = self.critic(drawn, noisy)
            judged = early_layers(self.eye, drawn)
            with torch.no_grad():
                _, true = self.critic(wanted, noisy)
                right = early_layers(self.eye, wanted)
        self.critic.requires_grad_(True)
        layers = sum((one.float() - other.float()).abs().mean() for one, other in zip(found, true, strict=True))
        missed = sum((one - other).square().mean() for one, other in zip(judged, right, strict=True))
        self.age.add_(1)
        say = (self.age / WARM_STEPS).clamp(max=1)
        passing = CRITIC_LAYERS * layers - PASSING * verdict.float().mean()
        return difference(drawn, wanted) + JUDGE_LAYERS * missed + say * passing

    def _teach_critic(self, drawn: torch.Tensor, wanted: torch.Tensor, noisy: torch.Tensor) -> None:
        """Take a step of the critic's, by the hinge loss."""
        with torch.autocast(DEVICE.type, dtype=torch.bfloat16):
            of_true, of_drawn = self.critic(wanted, noisy)[0], self.critic(drawn, noisy)[0]
        loss = functional.relu(1 - of_true.float()).mean() + functional.relu(1 + of_drawn.float()).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()


def sharp_vae() -> AutoencoderKL:
    """The VAE with the decoder that was sharpened."""
    return restore("vae_sharp", decoder_learner())


if __name__ == "__main__":
    setup(4)
    learner = decoder_learner()
    train(Training("vae_sharp", learner, Lesson(), steps=STEPS, lr=LR, weight_decay=0.0, decay=0.998))
