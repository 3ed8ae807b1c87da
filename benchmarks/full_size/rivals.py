"""One side of the comparison in `weave`, in a process of its own: seconds until the result is on the disk, peak
anonymous memory, hash of the result.

    python -m benchmarks.full_size.rivals SIDE KIND OUT SOURCE SOURCE...      # prints one JSON object

Anonymous memory is what a process cannot give back; pages of memory-mapped files, which it can, are not in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

CHROMOSOMES = ("attention", "backbone", "text_encoder", "text_encoder_2")
RATIO = 0.3
PIECE = 1 << 20


class Memory:
    """Peak anonymous memory of this process in bytes, looked at twenty times a second."""

    def __enter__(self) -> Memory:
        self.peak, self._ended = anonymous(), threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)
        self._looking.start()
        return self

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, anonymous())

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._looking.join()


def anonymous() -> int:
    """Anonymous memory of this process now, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def floor(kind: str, out: Path, paths: Sequence[Path]) -> Callable[[], None]:
    """Read the bytes of all sources and write as many as the result has, and nothing else."""

    def run() -> None:
        piece = memoryview(bytearray(PIECE))
        for path in paths:
            with open(path, "rb", buffering=0) as file:
                while file.readinto(piece):
                    pass
        left = paths[0].stat().st_size
        with open(out, "wb", buffering=0) as file:
            while left:
                left -= file.write(piece[: min(left, PIECE)])

    return run


def ours(kind: str, out: Path, paths: Sequence[Path], metadata: dict[str, str] | None = None) -> Callable[[], None]:
    """Weave; hashes of the sources and their inner products are cached, as in any second merge."""
    from pipelines.checkpoints.sources import open_source
    from pipelines.exporting.export import single_file_entries
    from pipelines.recipes.crossover import CrossoverParameters, cross_recipes
    from pipelines.recipes.gram import compute_gram
    from pipelines.recipes.recipe import Recipe, blend
    from pipelines.weaving.plan import Plan
    from pipelines.weaving.weave import weave_file

    sources = [open_source(path) for path in paths]
    named = {source.name: source for source in sources}
    host = {"default": sources[0].name}

    def even(members: Sequence[int]) -> Recipe:
        row = [float(k in members) / len(members) for k in range(len(sources))]
        return blend(sources, dict.fromkeys(CHROMOSOMES, row), host=host)

    if kind == "weighted":
        recipe = even(range(len(sources)))
    else:
        layouts = {
            name: layout
            for part in ("unet", "text_encoder", "text_encoder_2")
            for name, layout in sources[0].components[part].layouts.items()
        }
        grams = {name: compute_gram(sources, layout) for name, layout in layouts.items()}
        genes = {name: CrossoverParameters.mirrored([layout.size // 2], RATIO) for name, layout in layouts.items()}
        generation = [even([k]) for k in range(len(sources))]
        while len(generation) > 1:
            pairs = zip(generation[::2], generation[1::2], strict=True)
            generation = [cross_recipes(*pair, genes, grams=grams, layouts=layouts) for pair in pairs]
        recipe = generation[0]
    plan = Plan(recipe, named)
    return lambda: weave_file(plan, single_file_entries(plan), out, metadata=metadata)


def export(kind: str, out: Path, paths: Sequence[Path]) -> Callable[[], None]:
    """What `m2n2 merge --out X.safetensors` does: weave, synchronise, read back for the tensor hash, check, rename."""
    from pipelines.checkpoints.sources import open_source
    from pipelines.exporting.export import TENSOR_HASH_KEY, export_file
    from pipelines.recipes.recipe import blend
    from pipelines.weaving.plan import Plan

    sources = [open_source(path) for path in paths]
    row = [1 / len(sources)] * len(sources)
    recipe = blend(sources, dict.fromkeys(CHROMOSOMES, row), host={"default": sources[0].name})
    plan = Plan(recipe, {source.name: source for source in sources})

    def run() -> None:
        export_file(plan, out, metadata={TENSOR_HASH_KEY: ""})

    return run


def loop(kind: str, out: Path, paths: Sequence[Path]) -> Callable[[], None]:
    """The merge one writes by hand: two memory-mapped files, a tensor at a time in float32, written as it comes."""

    def slerp(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        x, y = a.double().flatten(), b.double().flatten()
        cosine = (x @ y / (x.norm() * y.norm()).clamp_min(1e-30)).clamp(-1, 1)
        omega = torch.arccos(cosine)
        if omega.sin() <= 1e-6:
            return torch.lerp(a, b, RATIO)
        return (
            a * (((1 - RATIO) * omega).sin() / omega.sin()).float() + b * ((RATIO * omega).sin() / omega.sin()).float()
        )

    def merged(tensors: list[torch.Tensor]) -> torch.Tensor:
        if not tensors[0].is_floating_point():
            return tensors[0]
        single = [tensor.float() for tensor in tensors]
        while kind == "slerp" and len(single) > 1:
            single = [slerp(*pair) for pair in zip(single[::2], single[1::2], strict=True)]
        total = single[0] if kind == "slerp" else sum(tensor / len(single) for tensor in single)
        return torch.as_tensor(total).half()

    def run() -> None:
        files = [safe_open(path, framework="pt") for path in paths]
        with open(paths[0], "rb") as first:
            length = int.from_bytes(first.read(8), "little")
            header = first.read(length)
        described = {key: value for key, value in json.loads(header).items() if key != "__metadata__"}
        with open(out, "wb") as file:
            file.write(length.to_bytes(8, "little") + header)
            for key in sorted(described, key=lambda key: described[key]["data_offsets"]):
                tensor = merged([one.get_tensor(key) for one in files])
                file.write(tensor.contiguous().flatten().view(torch.uint8).numpy().data)

    return run


def mecha(kind: str, out: Path, paths: Sequence[Path]) -> Callable[[], None]:
    """sd-mecha with its own settings."""
    import sd_mecha

    models = [sd_mecha.model(path) for path in paths]
    while len(models) > 1 and kind == "slerp":
        models = [sd_mecha.slerp(*pair, alpha=RATIO) for pair in zip(models[::2], models[1::2], strict=True)]
    recipe = models[0] if kind == "slerp" else sd_mecha.n_average(*models)

    def run() -> None:
        sd_mecha.merge(recipe, output=out, output_dtype=torch.float16)

    return run


SIDES = {"floor": floor, "ours": ours, "export": export, "loop": loop, "sd-mecha": mecha}


def forget(paths: Sequence[Path]) -> None:
    """Drop files from the page cache; written pages must be on the disk first."""
    os.sync()
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    side, kind, cache, out, *sources = sys.argv[1:]
    paths = [Path(source) for source in sources]
    run = SIDES[side](kind, Path(out), paths)
    if cache == "cold":
        forget(paths)
    with Memory() as memory:
        started = time.perf_counter()
        run()
        with open(out, "rb") as file:
            os.fsync(file.fileno())
        seconds = time.perf_counter() - started
    found: dict[str, Any] = {"seconds": seconds, "anonymous": memory.peak}
    if side != "floor":
        found["sha256"] = sha256(Path(out))
    Path(out).unlink()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
