"""Products and rotations that are the same in any order, and as exact as they say."""

import pytest
import torch

from pipelines.adapters.arithmetic import ordered_sum, rotation_change
from tests.adapters import draw


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 200])
def test_a_rotation_is_that_of_the_librarys_inverse(size):
    """Over one panel of columns and over several, for large turns and small ones."""
    for spread in (1.0, 1e-4):
        blocks = draw(3, size, size, size=spread).double()
        skew = blocks - blocks.transpose(1, 2)
        identity = torch.eye(size).double()
        expected = torch.linalg.inv(identity - skew) @ (identity + skew)
        found = rotation_change(skew)
        torch.testing.assert_close(found + identity, expected, rtol=0, atol=1e-11)
        turned = found + identity
        torch.testing.assert_close(turned @ turned.transpose(1, 2), identity.expand(3, -1, -1), rtol=0, atol=1e-11)


def test_a_rotation_is_the_same_alone_and_among_others():
    blocks = draw(5, 130, 130, size=0.1).double()
    skew = blocks - blocks.transpose(1, 2)
    together = rotation_change(skew)
    assert all(torch.equal(rotation_change(one[None])[0], other) for one, other in zip(skew, together, strict=True))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_a_sum_in_a_fixed_order(count):
    values = draw(count, 4).double()
    torch.testing.assert_close(ordered_sum(values), values.sum(0), rtol=1e-12, atol=1e-14)
    assert torch.equal(ordered_sum(values[:, :2]), ordered_sum(values)[:2])
