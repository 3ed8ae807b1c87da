"""LoRA, LoHa, LoKr and GLoRA against their papers' formulas, written here in plain float64."""

import itertools

import pytest
import torch

from pipelines.errors import SourceError
from tests.adapters import CONV, LINEAR, POINT, baked, base_weight, draw

CLOSE = {"rtol": 1e-6, "atol": 1e-7}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "adapter.safetensors"


def test_the_middle_factor_of_a_convolution(path):
    base = base_weight(CONV)
    out, into, *kernel = base.shape
    up, mid, down = draw(out, 4, 1, 1), draw(4, 4, *kernel, seed=1), draw(4, into, 1, 1, seed=2)
    tensors = {"lora_up.weight": up, "lora_mid.weight": mid, "lora_down.weight": down, "alpha": torch.tensor(2.0)}
    change = torch.einsum("oi,ijkl,jn->onkl", up.double()[..., 0, 0], mid.double(), down.double()[..., 0, 0])
    torch.testing.assert_close(baked(path, CONV, tensors, 0.7), base + 0.7 * 2 / 4 * change, **CLOSE)


@pytest.mark.parametrize("module", [LINEAR, CONV, POINT])
def test_loha(module, path):
    base = base_weight(module)
    out, columns = base.flatten(1).shape
    tensors = {f"hada_w{half}_{side}": draw(*size, seed=10 * half + len(side), size=0.5)
               for half in (1, 2) for side, size in (("a", (out, 3)), ("b", (3, columns)))}  # fmt: skip
    one, two = (tensors[f"hada_w{half}_a"].double() @ tensors[f"hada_w{half}_b"].double() for half in (1, 2))
    found = baked(path, module, tensors, -0.5, alpha=torch.tensor(6.0))
    torch.testing.assert_close(found, base - 0.5 * 6 / 3 * (one * two).reshape(base.shape), **CLOSE)


def test_loha_with_middle_factors(path):
    base = base_weight(CONV)
    out, into, *kernel = base.shape
    tensors = {"hada_w1_a": draw(3, out), "hada_w1_b": draw(3, into, seed=1), "hada_t1": draw(3, 3, *kernel, seed=2),
               "hada_w2_a": draw(3, out, seed=3), "hada_w2_b": draw(3, into, seed=4),
               "hada_t2": draw(3, 3, *kernel, seed=5, size=1)}  # fmt: skip
    one, two = (
        torch.einsum(
            "ijkl,jr,ip->prkl", *(tensors[role.format(n)].double() for role in ("hada_t{}", "hada_w{}_b", "hada_w{}_a"))
        )
        for n in (1, 2)
    )
    found = baked(path, CONV, tensors, 2.0, scalar=torch.tensor(0.25))
    torch.testing.assert_close(found, base + 2 * 0.25 * one * two, **CLOSE)


@pytest.mark.parametrize("first", ["whole", "product"])
@pytest.mark.parametrize(
    ("module", "second"),
    [*itertools.product([LINEAR, CONV, POINT], ["whole", "product"]), (CONV, "middle")],
)
def test_lokr(module, first, second, path):
    base = base_weight(module)
    (out, into), kernel = base.shape[:2], base.shape[2:]
    a, c = 4, 2
    b, d = out // a, into // c
    tensors = {}
    if first == "whole":
        one = tensors["lokr_w1"] = draw(a, c)
        one = one.double()
    else:
        tensors |= {"lokr_w1_a": draw(a, 3), "lokr_w1_b": draw(3, c, seed=1)}
        one = tensors["lokr_w1_a"].double() @ tensors["lokr_w1_b"].double()
    if second == "whole":
        two = tensors["lokr_w2"] = draw(b, d, *kernel, seed=2)
        two = two.double()
    elif second == "product":
        tensors |= {"lokr_w2_a": draw(b, 5, seed=2), "lokr_w2_b": draw(5, d * kernel.numel(), seed=3)}
        two = (tensors["lokr_w2_a"].double() @ tensors["lokr_w2_b"].double()).reshape(b, d, *kernel)
    else:
        tensors |= {"lokr_w2_a": draw(5, b, seed=2), "lokr_w2_b": draw(5, d, seed=3),
                    "lokr_t2": draw(5, 5, *kernel, seed=4, size=1)}  # fmt: skip
        two = torch.einsum(
            "ij...,ip,jr->pr...", *(tensors[role].double() for role in ("lokr_t2", "lokr_w2_a", "lokr_w2_b"))
        )
    ratio = {("whole", "whole"): 1.0, ("product", "whole"): 10 / 3}.get((first, second), 10 / 5)
    product = torch.kron(one.reshape(a, c, *(1 for _ in kernel)), two.contiguous())
    found = baked(path, module, tensors, 0.5, alpha=torch.tensor(10.0))
    torch.testing.assert_close(found, base + 0.5 * ratio * product, **CLOSE)


@pytest.mark.parametrize("named", ["now", "once"])
@pytest.mark.parametrize("module", [LINEAR, CONV, POINT])
def test_glora(module, named, path):
    """The base is multiplied over its input channels; older files call the factors the other way round."""
    base = base_weight(module)
    out, into, *kernel = base.shape
    a1, a2, b1 = draw(into, 3), draw(3, into, seed=1), draw(out, 3, seed=2)
    b2 = draw(3, into, *kernel, seed=3)
    turned = torch.einsum("oi...,ir,rj->oj...", base, a1.double(), a2.double())
    change = turned + (b1.double() @ b2.double().flatten(1)).reshape(base.shape)
    tensors = {"a1.weight": a1, "a2.weight": a2, "b1.weight": b1, "b2.weight": b2}
    if named == "once":
        tensors = {"a1.weight": a2, "a2.weight": a1, "b1.weight": b2, "b2.weight": b1}
    found = baked(path, module, tensors, 0.5, alpha=torch.tensor(1.5))
    torch.testing.assert_close(found, base + 0.5 * 1.5 / 3 * change, **CLOSE)


def test_glora_with_a_middle_factor(path):
    base = base_weight(CONV)
    out, into, *kernel = base.shape
    tensors = {"a1.weight": draw(into, 3, 1, 1), "a2.weight": draw(3, into, 1, 1, seed=1),
               "b1.weight": draw(out, 3, 1, 1, seed=2), "bm.weight": draw(3, 3, *kernel, seed=3, size=1),
               "b2.weight": draw(3, into, 1, 1, seed=4)}  # fmt: skip
    a1, a2, b1, b2 = (tensors[f"{role}.weight"].double().flatten(1) for role in ("a1", "a2", "b1", "b2"))
    change = torch.einsum("oikl,ir,rj->ojkl", base, a1, a2)
    change += torch.einsum("oi,ijkl,jn->onkl", b1, tensors["bm.weight"].double(), b2)
    torch.testing.assert_close(baked(path, CONV, tensors), base + change, **CLOSE)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"hada_w1_a": draw(64, 2), "hada_w1_b": draw(2, 64)}, r"lacks the hada_w2_a, hada_w2_b factor"),
        ({"lokr_w1": draw(4, 4), "lokr_w2_a": draw(4, 2)}, r"lacks the lokr_w2_b factor"),
        (
            {"lokr_w1": draw(4, 4), "lokr_w2": draw(5, 5)},
            r"LoKr of .*proj_in\.weight .* does not fit: it is the Kronecker",
        ),
        (
            {"a1.weight": draw(2, 2), "a2.weight": draw(2, 2), "b1.weight": draw(2, 2), "b2.weight": draw(2, 2)},
            "GLoRA of",
        ),
        ({f"hada_w{n}_{s}": draw(3, 3) for n in (1, 2) for s in "ab"}, r"LoHa of .*\[3, 3\] by \[3, 3\]"),
        ({"hada_w1_a": draw(3, 3), "lokr_w1": draw(3, 3)}, "of LoHa, LoKr together"),
    ],
)
def test_refuses_factors_that_do_not_fit(tensors, message, path):
    with pytest.raises(SourceError, match=message):
        baked(path, LINEAR, tensors)
