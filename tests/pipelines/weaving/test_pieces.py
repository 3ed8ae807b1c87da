"""Blocks are summed a piece at a time: where the pieces end changes no byte, and their memory is used again."""

import dataclasses

import pytest
import torch

from pipelines.errors import RecipeError
from pipelines.weaving.plan import Plan
from pipelines.weaving.scratch_buffers import BlockPool, ScratchBuffers


@pytest.fixture(scope="module")
def thirds(family, one_hot):
    """A third and two thirds of two sources, so that every element is a sum that is rounded."""
    recipe = one_hot["ja"]
    parts = {
        name: whole.model_copy(
            update={"segments": (whole.segments[0].model_copy(update={"weights": (1 / 3, 2 / 3, 0.0, 0.0)}),)}
        )
        for name, whole in recipe.chromosomes.items()
    }
    return recipe.model_copy(update={"chromosomes": parts})


@pytest.mark.parametrize("piece", [1, 7, 64, 1 << 16])
@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16, torch.float32])
def test_pieces_of_any_size_give_the_tensor(family, thirds, dtype, piece):
    plan = Plan(thirds, family, dtype=dtype)
    tensor = min((one for one in plan.tensor_plans("unet") if one.spans), key=lambda one: abs(one.size - 300))
    parts = family["base"].components["unet"], family["ja"].components["unet"]
    assert [named.name for named in thirds.sources[:2]] == ["base", "ja"]
    first, second = (part.read(tensor.name).float() for part in parts)
    expected = (first * (1 / 3) + second * (2 / 3)).to(tensor.dtype)
    built = torch.empty(tensor.size - 3, dtype=tensor.dtype)
    plan.build_into(built, tensor, 3, ScratchBuffers(piece))
    assert torch.equal(built, expected.reshape(-1)[3:])
    assert torch.equal(plan.build_tensor(tensor), expected)


def test_what_is_rounded_to_less_is_rounded_before_it_is_widened(family, thirds):
    """A live network in float32 gets the values that the file would have."""
    plan = Plan(thirds, family, dtype=torch.bfloat16)
    tensor = next(one for one in plan.tensor_plans("unet") if one.spans)
    live = torch.empty(tensor.size)
    plan.build_into(live, tensor, 0, ScratchBuffers(100))
    assert torch.equal(live, plan.build_tensor(tensor).reshape(-1).float())
    exact = plan.build_tensor(dataclasses.replace(tensor, dtype=torch.float32))
    assert not torch.equal(live, exact.reshape(-1))


def test_an_overflow_in_the_last_piece_is_found(family, thirds):
    chromosome = thirds.chromosomes["attention"]
    (segment,) = chromosome.segments
    last = segment.model_copy(update={"weights": (1e38, 1e38, 0.0, 0.0)})
    first = segment.model_copy(update={"stop": chromosome.size - 1})
    parts = dict(thirds.chromosomes, attention=chromosome.model_copy(update={"segments": (first, last)}))
    plan = Plan(thirds.model_copy(update={"chromosomes": parts}), family, dtype=torch.float16)
    tensor = next(one for one in plan.tensor_plans("unet") if one.spans and len(one.spans) == 2)
    with pytest.raises(RecipeError, match="overflows"):
        plan.build_into(torch.empty(tensor.size, dtype=torch.float16), tensor, 0, ScratchBuffers(8))


def test_memory_that_is_given_back_is_taken_again():
    pool = BlockPool(16)
    first, second = pool.take(), pool.take()
    assert first.data_ptr() != second.data_ptr()
    assert (first.dtype, first.shape) == (torch.uint8, (16,))
    pool.give_back(first)
    assert pool.take().data_ptr() == first.data_ptr()
