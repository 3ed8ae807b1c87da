"""Methods that choose among elements, against their formulas; those that draw, by what any draw must keep."""

import numpy as np
import pytest
import torch

from pipelines.errors import RecipeError
from pipelines.interchange.reading import parse_documents
from pipelines.interchange.sparse_merging import merged_tensor
from tests import mergekit_formulas as oracle

SHAPE = (12, 30)


@pytest.fixture
def inputs():
    drawn = torch.Generator().manual_seed(0)
    base = torch.randn(SHAPE, generator=drawn)
    return {"base": base} | {name: base + 0.3 * torch.randn(SHAPE, generator=drawn) for name in ("a", "b", "c")}


def document(method, parameters=""):
    own = "{weight: %s, density: %s, gamma: %s, epsilon: %s}"
    rows = [("a", own % (0.5, 0.4, 0.1, 0.1)), ("b", own % (0.9, 0.6, 0.05, 0.2)), ("c", own % (-0.4, 1.0, 0.01, 0.1))]
    models = "".join(f"- {{model: {name}, parameters: {said}}}\n" for name, said in rows)
    return parse_documents(
        f"merge_method: {method}\nbase_model: base\nmodels:\n{models}parameters: {{{parameters}}}\n"
    )[0]


def merged(method, inputs, parameters="", seed=0):
    drawn = torch.Generator().manual_seed(seed)
    return merged_tensor(document(method, parameters), "any", inputs, drawn).double().numpy()


def one_model(method, parameters):
    return f"merge_method: {method}\nbase_model: base\nmodels: [{{model: a}}]\nparameters: {{{parameters}}}\n"


WEIGHTS = [0.5, 0.9, -0.4]


@pytest.mark.parametrize(
    ("method", "parameters", "thin", "elect", "normalize"),
    [
        ("ties", "", [lambda d: oracle.largest(d, 0.4), lambda d: oracle.largest(d, 0.6), None], True, True),
        (
            "ties",
            "normalize: false",
            [lambda d: oracle.largest(d, 0.4), lambda d: oracle.largest(d, 0.6), None],
            True,
            False,
        ),
        (
            "breadcrumbs",
            "",
            [lambda d: oracle.middle(d, 0.4, 0.1), lambda d: oracle.middle(d, 0.6, 0.05), None],
            False,
            False,
        ),
        (
            "breadcrumbs_ties",
            "lambda: 0.7",
            [lambda d: oracle.middle(d, 0.4, 0.1), lambda d: oracle.middle(d, 0.6, 0.05), None],
            True,
            False,
        ),
    ],
)
def test_what_is_not_drawn_is_the_formula(inputs, method, parameters, thin, elect, normalize):
    base, *others = (inputs[name].double().numpy() for name in ("base", "a", "b", "c"))
    deltas = [(one or (lambda d: d))(other - base) for one, other in zip(thin, others, strict=True)]
    if elect:
        change = oracle.elected(deltas, WEIGHTS, normalize)
    else:
        change = sum(weight * delta for weight, delta in zip(WEIGHTS, deltas, strict=True))
    factor = 0.7 if "lambda" in parameters else 1
    np.testing.assert_allclose(merged(method, inputs, parameters), base + factor * change, atol=2e-6)


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_sce_is_the_formula(inputs, share):
    base, *others = (inputs[name].double().numpy() for name in ("base", "a", "b", "c"))
    np.testing.assert_allclose(
        merged("sce", inputs, f"select_topk: {share}"), oracle.sce(base, others, share), atol=2e-6
    )


@pytest.mark.parametrize("method", ["dare_linear", "della_linear"])
def test_what_is_drawn_keeps_the_sum_of_magnitudes(inputs, method):
    """Of one model: an element is kept, all by one factor larger, or it is the base's."""
    text = one_model(method, "weight: 1, density: 0.5")
    delta = (inputs["a"] - inputs["base"]).double().numpy()
    two = {name: inputs[name] for name in ("base", "a")}
    found = merged_tensor(parse_documents(text)[0], "any", two, torch.Generator().manual_seed(1)).double().numpy()
    change = found - inputs["base"].double().numpy()
    kept = np.abs(change) > 1e-6
    assert 0.4 < kept.mean() < 0.6
    factors = change[kept] / delta[kept]
    np.testing.assert_allclose(factors, np.median(factors), rtol=1e-2)
    assert np.abs(change).sum() == pytest.approx(np.abs(delta).sum(), rel=1e-3)


def test_della_keeps_larger_changes_more_often(inputs):
    delta = torch.arange(1.0, 4001.0)
    two = {"base": torch.zeros(4000), "a": delta}
    text = one_model("della_linear", "weight: 1, density: 0.5, epsilon: 0.4")
    found = merged_tensor(parse_documents(text)[0], "any", two, torch.Generator().manual_seed(1))
    assert (found[:1000] > 0).float().mean() < 0.3
    assert (found[-1000:] > 0).float().mean() > 0.7


def test_the_same_seed_draws_the_same(inputs):
    np.testing.assert_array_equal(merged("dare_ties", inputs, seed=5), merged("dare_ties", inputs, seed=5))
    assert np.any(merged("dare_ties", inputs, seed=5) != merged("dare_ties", inputs, seed=6))


def test_a_density_that_leaves_no_room_for_epsilon_is_refused(inputs):
    text = one_model("della", "weight: 1, density: 0.9, epsilon: 0.2")
    with pytest.raises(RecipeError, match="density 0.9 and epsilon 0.2"):
        merged_tensor(parse_documents(text)[0], "any", inputs, torch.Generator())
