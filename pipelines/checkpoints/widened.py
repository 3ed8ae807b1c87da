"""A UNet whose first convolution reads fewer channels than the result's: one that draws, beside one that inpaints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch

from .component import Component

FIRST_CONVOLUTION = "conv_in.weight"


def widened_to(host: Component, component: Component) -> Component:
    """Return a component as it is, or with the input channels of its host where it reads fewer."""
    ref = component.tensors.get(FIRST_CONVOLUTION)
    wanted = host.tensors.get(FIRST_CONVOLUTION)
    if component.name != "unet" or ref is None or wanted is None or ref.shape == wanted.shape:
        return component
    return WidenedComponent(host, component)


class WidenedComponent(Component):
    """A UNet that draws from text, as one that edits pictures: the channels that it does not read are the host's.

    So a difference of two such UNets is zero there and falls on the channels of the latents, and a mean with the host
    leaves the others as the host has them. This is what other tools do that merge into an inpainting model.
    """

    def __init__(self, host: Component, component: Component) -> None:
        """Take a UNet, and the host whose first convolution [out, more channels, 3, 3] the result has."""
        refs = dict(component.tensors)
        refs[FIRST_CONVOLUTION] = dataclasses.replace(
            refs[FIRST_CONVOLUTION], shape=host.tensors[FIRST_CONVOLUTION].shape
        )
        super().__init__(component.name, component.place, refs)
        self._host = host
        self._narrow = component

    def compute_sha256(self, progress: Callable[[int], None] | None = None, *, reread: bool = False) -> str:
        """Compute the hash of the UNet itself, by which recipes name it; arguments and errors are those of the base."""
        return self._narrow.compute_sha256(progress, reread=reread)

    def read_elements(self, name: str, start: int, stop: int, *, scratch: torch.Tensor | None = None) -> torch.Tensor:
        """Return elements of a flattened tensor; of the first convolution in float32, with the host's last channels."""
        if name != FIRST_CONVOLUTION:
            return self._narrow.read_elements(name, start, stop, scratch=scratch)
        return self._first_convolution()[start:stop]

    def fill(self, name: str, start: int, out: torch.Tensor, *, scratch: torch.Tensor | None = None) -> None:
        """Copy elements of a flattened tensor into `out`, float32 [n] on any device."""
        if name != FIRST_CONVOLUTION:
            self._narrow.fill(name, start, out, scratch=scratch)
        else:
            out.copy_(self._first_convolution()[start : start + out.numel()])

    @property
    def keeping(self) -> object | None:
        """The UNet's."""
        return self._narrow.keeping

    def kept_on(self, name: str, device: torch.device) -> torch.Tensor | None:
        """Return a flattened tensor of the UNet, where it is kept; the first convolution is computed."""
        return None if name == FIRST_CONVOLUTION else self._narrow.kept_on(name, device)

    def _first_convolution(self) -> torch.Tensor:
        """Return the first convolution, flattened: float32 [out * channels * 3 * 3]."""
        both = []
        for component in (self._host, self._narrow):
            shape = component.tensors[FIRST_CONVOLUTION].shape
            values = torch.empty(math.prod(shape))
            component.fill(FIRST_CONVOLUTION, 0, values)
            both.append(values.reshape(shape))
        wide, narrow = both
        return torch.cat([narrow, wide[:, narrow.shape[1] :]], dim=1).reshape(-1)
