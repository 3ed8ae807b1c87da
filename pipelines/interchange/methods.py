"""mergekit's merge methods as a table: what each of them takes, and what it becomes here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

REQUIRED = None  # in place of a default
Default = float | bool | None
Sparsity = Literal["magnitude", "random", "rank", "outliers"]


@dataclass(frozen=True)
class MergeMethod:
    """One of mergekit's methods.

    Attributes:
        name: as YAML writes it.
        woven: whether it is no weighted sum of its inputs, so that its weights are built once.
        needs_base: whether it merges what models changed of a `base_model`.
        shared: parameters of the whole merge with their defaults.
        per_model: parameters of each model but the base, with their defaults.
        sparsity: which elements of a change it keeps.
        elects_sign: whether it drops the elements whose sign is not that of the sum of all changes.
    """

    name: str
    woven: bool = False
    needs_base: bool = False
    shared: Mapping[str, Default] = field(default_factory=dict)
    per_model: Mapping[str, Default] = field(default_factory=dict)
    sparsity: Sparsity | None = None
    elects_sign: bool = False


def _task(
    name: str,
    *,
    sparsity: Sparsity | None = None,
    elects_sign: bool = False,
    normalize: bool = False,
    rescale: bool = False,
    more: Mapping[str, Default] | None = None,
) -> MergeMethod:
    """Return a method that adds what models changed of a base."""
    density = {"density": 1.0} if sparsity else {}
    return MergeMethod(
        name,
        woven=sparsity is not None,
        needs_base=True,
        shared={"normalize": normalize, "rescale": rescale, "lambda": 1.0, "int8_mask": False},
        per_model={"weight": REQUIRED, **density, **(more or {})},
        sparsity=sparsity,
        elects_sign=elects_sign,
    )


METHODS = {
    method.name: method
    for method in (
        MergeMethod("linear", shared={"normalize": True}, per_model={"weight": REQUIRED}),
        MergeMethod("slerp", needs_base=True, shared={"t": REQUIRED}),
        MergeMethod(
            "nuslerp", shared={"nuslerp_flatten": True, "nuslerp_row_wise": False}, per_model={"weight": REQUIRED}
        ),
        MergeMethod("passthrough", per_model={"scale": 1.0}),
        MergeMethod("karcher", shared={"max_iter": 10.0, "tol": 1e-5}),
        MergeMethod("model_stock", needs_base=True, shared={"filter_wise": False}),
        _task("task_arithmetic"),
        _task("ties", sparsity="magnitude", elects_sign=True, normalize=True),
        _task("dare_ties", sparsity="random", elects_sign=True, rescale=True),
        _task("dare_linear", sparsity="random", rescale=True),
        _task("breadcrumbs", sparsity="outliers", more={"gamma": 0.01}),
        _task("breadcrumbs_ties", sparsity="outliers", elects_sign=True, more={"gamma": 0.01}),
        _task("della", sparsity="rank", elects_sign=True, normalize=True, rescale=True, more={"epsilon": 0.15}),
        _task("della_linear", sparsity="rank", rescale=True, more={"epsilon": 0.15}),
        MergeMethod("sce", woven=True, needs_base=True, shared={"select_topk": 1.0, "int8_mask": False}),
    )
}
