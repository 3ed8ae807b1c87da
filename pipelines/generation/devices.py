"""The device plan: how a pipeline fits the machine it runs on.

`plan_device` is pure: from a machine, sizes and settings to what to do. It looks at the memory that is there in all,
not at what is free this minute, so that a run that is resumed draws the same batches. `place` does it to a pipeline.

Attention has no choice here. SDXL's UNet calls torch's own fused attention, which picks the kernel that suits the
device; other backends of diffusers do not reach this UNet, and slicing makes the fused one slower.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil
import torch

from .cost import TILE_SIDE, PipelineSizes
from .settings import FEW_STEP_LORAS, GenerationSettings

if TYPE_CHECKING:  # a plan is made without the library that draws
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline

Offload = Literal["none", "model", "group"]
Decoding = Literal["whole", "slices", "tiles"]

GIB = 1 << 30
DEVICE_RESERVE = GIB  # of an accelerator: its context, scratch for weaving, what the screen takes
HOST_RESERVE = 3 * GIB // 2  # of main memory: Python with its libraries, scratch for weaving
GROUP_SHARE = 0.1  # share of a component that is on the device at a time when it comes and goes layer by layer
PRIORITY_BATCH = 4  # pictures a batch should have before memory goes to anything that only saves time
COMFORTABLE_SHARE = 0.8  # of the device, for larger batches to fill: they gain little, and others want memory too
_CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Machine:
    """The device and the memory that there is to compute with.

    Attributes:
        device: where to compute.
        memory: bytes of the accelerator in all, `None` for a CPU.
        ram: bytes of main memory in all.
        bf16: whether the accelerator computes in bfloat16 by itself.
    """

    device: torch.device
    memory: int | None
    ram: int
    bf16: bool = True


@dataclass(frozen=True)
class DevicePlan:
    """How a pipeline fits a machine. Bytes are estimates, see `cost`.

    Attributes:
        dtype: of the weights.
        decoding: the dtype that the VAE decodes in; SDXL's own overflows in float16.
        offload: "none" keeps everything on the device, "model" one component at a time, "group" one layer at a time.
        batch: pictures drawn at once.
        vae: how a batch is decoded: at once, a picture at a time, or in tiles, which can show faint seams.
        resident: whether the sources' merged components stay on the accelerator, so that weaving reads nothing.
        scorer: "beside" the pipeline on its device, or "parked" in main memory while pictures are drawn.
        needs: bytes at the peak, of the accelerator, or of main memory on a CPU.
        host: bytes at the peak of main memory, the cache of files aside.
        room: bytes of the device in all.
    """

    dtype: torch.dtype
    decoding: torch.dtype
    offload: Offload
    batch: int
    vae: Decoding
    resident: bool
    scorer: Literal["beside", "parked"]
    needs: int
    host: int
    room: int

    @property
    def fits(self) -> bool:
        """Whether the device has what the plan needs at least."""
        return self.needs <= self.room

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        names = {"dtype": str(self.dtype), "decoding": str(self.decoding)}
        return dataclasses.asdict(self) | {key: name.removeprefix("torch.") for key, name in names.items()}


def best_device() -> torch.device:
    """Return the accelerator of this machine where there is one, else the CPU."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def this_machine(device: torch.device | None = None) -> Machine:
    """Return what this process has to compute with, on a device; the best one if left out."""
    device = device or best_device()
    ram = psutil.virtual_memory().total
    if _CGROUP.is_file() and (limit := _CGROUP.read_text().strip()).isdigit():  # a container may have less
        ram = min(ram, int(limit))
    if device.type == "cpu":
        return Machine(device, None, ram)
    if device.type == "mps":
        return Machine(device, torch.mps.recommended_max_memory(), ram)
    bf16 = device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
    return Machine(device, torch.accelerator.get_memory_info(device)[1], ram, bf16)


def compute_dtype(machine: Machine) -> torch.dtype:
    """Choose the dtype of the weights.

    A CPU has no fast half precision: float32. An accelerator takes bfloat16, or float16 where it has no bfloat16.
    """
    if machine.memory is None:
        return torch.float32
    return torch.bfloat16 if machine.bf16 else torch.float16


def plan_device(machine: Machine, sizes: PipelineSizes, settings: GenerationSettings, *, scorer: int = 0) -> DevicePlan:
    """Choose how a pipeline fits a machine.

    In this order: whole pictures with as little offloading as will do; the scorer beside the pipeline; the sources on
    the accelerator; the largest batch up to that of the settings. The scorer and the sources must leave room for a
    batch of four, a larger one must leave a fifth of the device. What fits nowhere is planned as small as can be, and
    `fits` says so.

    Args:
        machine: what there is.
        sizes: of the pipeline.
        settings: how pictures are made.
        scorer: bytes of the weights of a scorer that works on the same device.
    """
    dtype = compute_dtype(machine)
    decoding = torch.float32 if dtype == torch.float16 and sizes.upcast else dtype
    peaks = _PeakMemory(sizes, settings, dtype, decoding)
    on_cpu = machine.memory is None
    room, reserve = (machine.ram, HOST_RESERVE) if machine.memory is None else (machine.memory, DEVICE_RESERVE)
    budget = room - reserve
    ways: list[tuple[Offload, Decoding]] = [("none", "slices"), ("none", "tiles")]
    if not on_cpu:
        ways = [("none", "slices"), ("model", "slices"), ("group", "slices"), ("model", "tiles"), ("group", "tiles")]
    occupied = scorer if on_cpu else 0  # on a CPU there is nowhere to park

    def fits(offload: Offload, vae: Decoding, batch: int, beside: int) -> bool:
        visit = peaks.resting(offload) + (0 if on_cpu else scorer)  # parked, it comes while the pipeline rests
        return max(peaks.at(offload, vae, batch) + beside, visit) <= budget

    offload, vae = next((way for way in ways if fits(*way, 1, occupied)), ways[-1])
    batch_first = min(settings.batch, PRIORITY_BATCH)
    beside, resident = on_cpu, False
    if offload == "none" and not on_cpu:
        beside = fits(offload, vae, batch_first, scorer)
        occupied = scorer if beside else 0
        resident = beside and fits(offload, vae, batch_first, occupied + sizes.merged)
        occupied += sizes.merged if resident else 0
    batch = next((size for size in range(batch_first, 1, -1) if fits(offload, vae, size, occupied)), 1)
    budget = min(budget, int(COMFORTABLE_SHARE * room))
    batch = next((size for size in range(settings.batch, batch, -1) if fits(offload, vae, size, occupied)), batch)
    if vae == "slices" and (batch == 1 or fits(offload, "whole", batch, occupied)):
        vae = "whole"
    needs = reserve + max(peaks.at(offload, vae, batch) + occupied, peaks.resting(offload) + (0 if beside else scorer))
    host = needs if on_cpu else HOST_RESERVE + peaks.resting("none") + scorer
    return DevicePlan(
        dtype, decoding, offload, batch, vae, resident, "beside" if beside else "parked", needs, host, room
    )


@dataclass(frozen=True)
class _PeakMemory:
    """The most bytes of the device that a pipeline takes, by how it is offloaded."""

    sizes: PipelineSizes
    settings: GenerationSettings
    dtype: torch.dtype
    decoding: torch.dtype

    def resting(self, offload: Offload) -> int:
        """Return the bytes taken between two batches of pictures."""
        return sum(self.sizes.weight_bytes(self.dtype.itemsize).values()) if offload == "none" else 0

    def at(self, offload: Offload, vae: Decoding, batch: int) -> int:
        """Return the bytes taken at the worst moment of a batch."""
        weights = self.sizes.weight_bytes(self.dtype.itemsize)
        if self.settings.speed:
            weights["unet"] += FEW_STEP_LORAS[self.settings.speed].size
        drawing = self.sizes.drawing_bytes(self.settings, self.dtype.itemsize, batch)
        at_once = batch if vae == "whole" else 1
        item = self.decoding.itemsize
        decoding = self.sizes.decoding_bytes(self.settings, item, at_once, tiled=vae == "tiles")
        upcast = self.sizes.weight_bytes(item)["vae"] - weights["vae"]
        if offload == "none":
            return sum(weights.values()) + max(drawing, decoding + upcast)
        share = GROUP_SHARE if offload == "group" else 1.0
        held = {part: int(size * share) for part, size in weights.items()}
        return max(*held.values(), held["unet"] + drawing, held["vae"] + upcast + decoding)


def place_pipeline(pipeline: StableDiffusionXLPipeline, plan: DevicePlan, device: torch.device) -> None:
    """Bring a pipeline that was built on the CPU to a device, as planned.

    Parameters stay the objects they were, wherever their values go, so live weights stay live.

    Args:
        pipeline: on the CPU.
        plan: how it is offloaded.
        device: where to draw.
    """
    if plan.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif plan.offload == "group":
        stream = device.type == "cuda"  # others have no streams to fetch the next layer beside the sum
        pipeline.enable_group_offload(device, offload_type="leaf_level", use_stream=stream)
    else:
        pipeline.to(device)


def decode_as_planned(vae: AutoencoderKL, plan: DevicePlan) -> None:
    """Set how a VAE decodes: a batch at once, a picture at a time, or in tiles."""
    vae.use_slicing = plan.vae != "whole"
    vae.use_tiling = plan.vae == "tiles"
    if vae.use_tiling:
        vae.tile_sample_min_size = TILE_SIDE
        vae.tile_latent_min_size = TILE_SIDE // 2 ** (len(vae.config.block_out_channels) - 1)
