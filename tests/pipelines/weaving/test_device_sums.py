"""Sums in one launch: the kernel adds as the processor does, and on a GPU weaves the same bytes."""

import os
import subprocess
import sys

import pytest
import torch

from pipelines.errors import RecipeError
from pipelines.generation.build import empty_module
from pipelines.recipes.recipe import blend
from pipelines.weaving import device_sums
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights
from tests.pipelines.merges import own_sources, split_inside_tensors

# Triton's interpreter runs a kernel on a processor; it rounds to bfloat16 in another way, so that is left to GPUs.
INTERPRETED = """
from types import SimpleNamespace

import pytest
import torch

from pipelines.errors import RecipeError
from pipelines.recipes.chromosome import WeightedSpan
from pipelines.weaving import device_sums
from pipelines.weaving.plan import TensorPlan

size, cpu = 70_003, torch.device("cpu")
device_sums.is_usable = lambda device: True
generator = torch.Generator().manual_seed(1)


class Source:
    # a component that is kept on the device, which a processor keeps none on

    def __init__(self, tensors):
        self.keep(tensors)

    def keep(self, tensors):
        self.tensors, self.keeping, self.asked = tensors, object(), 0

    def kept_on(self, name, device):
        self.asked += 1
        return self.tensors.get(name)


def planned(name, rounded, spans):
    return TensorPlan("unet", name, (size,), rounded, tuple(WeightedSpan(*span) for span in spans))


def plan_of(sources):
    return SimpleNamespace(source_components=lambda component: sources)


def bits(tensor):
    return tensor.view(torch.int16 if tensor.itemsize == 2 else torch.int32)


def summed(tensor, sources, out):
    expected = torch.zeros(size)
    for begin, end, weights in tensor.spans:
        terms = [s.tensors[tensor.name][begin:end].float() * w for s, w in zip(sources, weights) if w]
        for number, term in enumerate(terms):
            expected[begin:end] = expected[begin:end] + term if number else term
    return expected.to(tensor.dtype).to(out.dtype)


def random(dtype, scale=1.0):
    return torch.randn(size, generator=generator).mul_(scale).to(dtype)


half, single = torch.float16, torch.float32
kinds = {"half": (half, half), "single": (single, single), "mixed": (single, half)}  # of the sources, of the result
sources = [Source({name: random(stored, 10.0 ** -k) for name, (stored, _) in kinds.items()}) for k in range(3)]
sources.append(Source({name: torch.full((size,), -0.0, dtype=stored) for name, (stored, _) in kinds.items()}))
outs = {name: torch.empty(size, dtype=written) for name, (_, written) in kinds.items()}
weaver = device_sums.DeviceWeaver(outs, cpu)
whole = [(0, size, (0.25, 0.5, 0.0, 0.26))]
split = [
    (0, 1003, (0.25, 0.5, 0.0, 0.26)),
    (1003, 35_008, (0.0, 1.0, 0.0, 0.0)),
    (35_008, 69_000, (0.1, -0.2, 0.3, 0.4)),
    (69_000, size, (0.0, 0.0, 0.0, 0.0)),
]
other = [(0, 35_008, (0.5, 0.5, 0.1, 0.0)), (35_008, size, (0.1, -0.2, 0.3, 0.4))]


def check(spans):
    tensors = [planned(name, outs[name].dtype, spans) for name in kinds]
    assert weaver.weave(plan_of(sources), tensors) == []
    for tensor in tensors:
        out = outs[tensor.name]
        assert torch.equal(bits(out), bits(summed(tensor, sources, out))), (tensor.name, spans)


def again(spans):
    return [(start, stop, tuple(0.5 * weight for weight in weights)) for start, stop, weights in spans]


for spans in (whole, again(whole), split, other):
    check(spans)
assert [source.asked for source in sources] == [3, 3, 3, 3]  # each tensor was looked up once

sources[1].keep({name: random(stored) for name, (stored, _) in kinds.items()})  # let go of, and kept elsewhere
check(whole)
for name, (_, written) in kinds.items():
    outs[name].data = torch.empty(size, dtype=written)  # as offloading moves parameters
check(whole)

sources[2].keep({"half": sources[2].tensors["half"].float(), "single": sources[2].tensors["single"]})
tensors = [planned(name, outs[name].dtype, split) for name in kinds]
before = {name: out.clone() for name, out in outs.items()}
left = weaver.weave(plan_of(sources), tensors)
assert [tensor.name for tensor in left] == ["half", "mixed"]  # of two dtypes, and not on the device
assert torch.equal(bits(outs["single"]), bits(summed(tensors[1], sources, outs["single"])))
assert all(torch.equal(bits(outs[name]), bits(before[name])) for name in ("half", "mixed"))

large = [Source({"half": torch.full((size,), 60_000.0).half(), "single": random(torch.float32)}) for _ in range(2)]
fine = planned("single", torch.float32, [(0, size, (0.5, 0.6))])
most = planned("half", torch.float16, [(0, 1003, (0.5, 0.5)), (1003, size, (0.5, 0.6))])
with pytest.raises(RecipeError, match="Tensor half overflows"):
    weaver.weave(plan_of(large), [fine, most])
assert weaver.weave(plan_of(large), [fine, planned("half", torch.float16, [(0, size, (0.5, 0.5))])]) == []
lent = TensorPlan("unet", "lent", (size,), torch.float16, None)
assert weaver.weave(plan_of(large), [lent, fine]) == [lent]
"""
CARD = torch.device("cuda")


def python_with(environment, program):
    command = [sys.executable, "-W", "ignore", "-c", program]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


def test_the_kernel_adds_as_the_processor_does():
    pytest.importorskip("triton")
    done = python_with({"TRITON_INTERPRET": "1"}, INTERPRETED)
    assert done.returncode == 0, done.stderr


COMPILED = """
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from pipelines.weaving import sum_kernel

types = {"STORED": tl.float16, "ROUNDED": tl.float16, "WRITTEN": tl.bfloat16, "ALIGNED": True}
sizes = {"CHUNK": sum_kernel.CHUNK_ELEMENTS, "BLOCK": sum_kernel.BLOCK_ELEMENTS}
addresses = {"pieces": "*i64", "weights": "*fp32", "chunks": "*i32", "overflows": "*i32", "most": "i32"}
signature = addresses | dict.fromkeys([*types, *sizes], "constexpr")
source = ASTSource(sum_kernel.sum_chunks, signature, constexprs=types | sizes)
options = {"num_warps": sum_kernel.WARPS, "enable_fp_fusion": False}
ptx = compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["ptx"]
loads = [line for line in ptx.splitlines() if "ld.global" in line]
assert any(".v4." in line for line in loads), loads  # 16 bytes at a time
assert "fma." not in ptx
assert ".ftz" not in ptx  # subnormal sums stay what they are
"""


def test_the_kernel_is_compiled_for_a_gpu_without_one(tmp_path):
    pytest.importorskip("triton")
    done = python_with({"TRITON_CACHE_DIR": str(tmp_path)}, COMPILED)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with own_sources(tmp_path_factory.mktemp("cache")) as sources:
        yield sources


def mix(opened, *weights):
    """A merge whose chromosomes are split inside tensors."""
    rows = {"attention": list(weights), "backbone": list(weights)}
    return split_inside_tensors(blend(list(opened.values()), rows, host={"default": "base"}), weights)


def bits(module):
    return {key: tensor.detach().cpu().contiguous().view(torch.uint8) for key, tensor in module.state_dict().items()}


def woven(opened, recipe, dtype, device):
    unet = empty_module("unet", opened["base"], dtype).to(device)
    live = LiveWeights("unet", unet)
    live.weave(Plan(recipe, opened))
    return unet, live


@pytest.fixture(params=["kept", "read"])
def on_card(request, opened):
    """The sources, on the device or read from their files."""
    for source in opened.values():
        source.components["unet"].keep_on(CARD if request.param == "kept" else torch.device("cpu"))
    yield opened
    for source in opened.values():
        source.components["unet"].keep_on(torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_gpu_weaves_the_bytes_of_the_processor(on_card, dtype):
    recipe, other = mix(on_card, 0.3, 0.3, 0.2, 0.2), mix(on_card, -0.4, 1.4, 0.0, 0.0)
    expected = bits(woven(on_card, recipe, dtype, torch.device("cpu"))[0])
    unet, live = woven(on_card, recipe, dtype, CARD)
    first = bits(unet)
    assert all(torch.equal(first[key], expected[key]) for key in expected)
    assert live.weave(Plan(other, on_card))
    assert any(not torch.equal(bits(unet)[key], expected[key]) for key in expected)
    live.weave(Plan(recipe, on_card))
    again = bits(unet)
    assert all(torch.equal(again[key], expected[key]) for key in expected)


@pytest.mark.gpu
def test_kept_sources_are_summed_in_one_launch(opened):
    pytest.importorskip("triton")
    assert device_sums.is_usable(CARD)
    for source in opened.values():
        source.components["unet"].keep_on(CARD)
    recipe = mix(opened, 0.3, 0.3, 0.2, 0.2)
    unet, _ = woven(opened, recipe, torch.float16, CARD)
    plan = Plan(recipe, opened)
    merged = [tensor for tensor in plan.tensor_plans("unet") if tensor.spans]
    assert device_sums.DeviceWeaver(unet.state_dict(), CARD).weave(plan, merged) == []


@pytest.mark.gpu
def test_an_overflow_on_a_gpu_names_its_tensor_and_can_be_woven_over(on_card):
    recipe = mix(on_card, 0.3, 0.3, 0.2, 0.2)
    expected = bits(woven(on_card, recipe, torch.float16, torch.device("cpu"))[0])
    unet, live = woven(on_card, recipe, torch.float16, CARD)
    with pytest.raises(RecipeError, match="overflows torch.float16"):
        live.weave(Plan(mix(on_card, 1e9, 0.0, 0.0, 0.0), on_card, dtype=torch.float16))
    live.weave(Plan(recipe, on_card))
    again = bits(unet)
    assert all(torch.equal(again[key], expected[key]) for key in expected)
