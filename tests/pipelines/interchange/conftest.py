"""Three checkpoints with the true keys, in float32: a base, and two that were trained from it, as far as numbers go."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.full_keys import small_sdxl, small_single_file


@pytest.fixture(scope="session")
def trio(tmp_path_factory):
    """The files by name.

    What was trained differs from the base by 1 % in half of the tensors and by 60 % in the others, so that angles lie
    on either side of the one from which on mergekit's SLERP is linear.
    """
    folder = tmp_path_factory.mktemp("trio")
    whole = small_single_file(small_sdxl(folder / "small", seed=0), folder / "whole.safetensors")
    base = {name: values.float() if values.is_floating_point() else values for name, values in load_file(whole).items()}
    files = {"base": folder / "base.safetensors"}
    save_file(base, files["base"])
    for seed, name in enumerate(("anime", "photo"), 1):
        drawn = torch.Generator().manual_seed(seed)
        trained = {
            key: values + (0.01, 0.6)[number % 2] * values.std() * torch.randn(values.shape, generator=drawn)
            if values.is_floating_point() and values.numel() > 1
            else values
            for number, (key, values) in enumerate(base.items())
        }
        files[name] = folder / f"{name}.safetensors"
        save_file(trained, files[name])
    return files


@pytest.fixture(scope="session")
def tensors(trio):
    """Their tensors in float64, by file and key, without buffers."""
    return {
        name: {
            key: values.double().numpy()
            for key, values in load_file(path).items()
            if values.is_floating_point() and not key.endswith("logit_scale")
        }
        for name, path in trio.items()
    }
