"""mergekit's methods that choose among elements: what models changed of a base, thinned out, and added to it.

    ties            the largest changes of each model; where signs disagree, the side with more weight     2306.01708
    dare            changes drawn at random, the rest made larger by as much                               2311.03099
    della           the same, larger changes drawn more often                                              2406.11617
    breadcrumbs     neither the smallest changes nor the very largest                                      2312.06795
    sce             where models differ most, each weighted by the size of its changes, signs as in ties   2408.07990

All is computed in the dtype that the tensors have, as mergekit does, and a tensor is what a single file calls one.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pipelines.errors import RecipeError

from .documents import MergeDocument

_NO_LENGTH = 1e-7  # of a sum of magnitudes that nothing is made as large as
_NO_SIZE = 1e-6  # of mean squares of changes: below it all models count alike in SCE
_NO_SHARE = 1e-6  # that changes are divided by


def merged_tensor(
    document: MergeDocument, name: str, inputs: Mapping[str, torch.Tensor], drawn: torch.Generator
) -> torch.Tensor:
    """Merge one tensor.

    Args:
        document: a merge whose method is woven.
        name: the tensor's name in the file, which filters are held against.
        inputs: the tensor of each model, in the shape that a file has it in; the base's among them.
        drawn: where random choices come from.

    Returns:
        The merged tensor, of the base's shape and dtype.

    Raises:
        RecipeError: a parameter that the method needs says nothing for this tensor, or is out of range.
    """
    base = inputs[document.base or ""]
    others = [model for model in inputs if model != document.base]
    deltas = torch.stack([inputs[model].to(base.dtype) - base for model in others])
    if document.method.name == "sce":
        change = sce_change(deltas, float(document.shared("select_topk", name)))
    else:
        kept = [_thinned(document, model, name, delta, drawn) for model, delta in zip(others, deltas, strict=True)]
        weights = [float(document.of_model(model, "weight", name)) for model in others]
        change = task_change(
            torch.stack(kept),
            torch.tensor(weights, dtype=base.dtype),
            elect_sign=document.method.elects_sign,
            normalize=bool(document.shared("normalize", name)),
        )
        factor = float(document.shared("lambda", name))
        change = change if factor == 1 else change * factor
    return (base + change).to(base.dtype)


def task_change(deltas: torch.Tensor, weights: torch.Tensor, *, elect_sign: bool, normalize: bool) -> torch.Tensor:
    """Return the weighted sum of what models changed.

    Args:
        deltas: [models, ...].
        weights: [models].
        elect_sign: whether an element leaves out the models whose change has not the sign of the sum.
        normalize: whether it is divided by the weights that are in it.
    """
    weights = weights.reshape(-1, *(1 for _ in deltas.shape[1:]))
    weighted = deltas * weights
    if elect_sign:
        agree = _agrees_with_sum(weighted)
        change, divisor = (weighted * agree).sum(dim=0), (weights * agree).sum(dim=0)
        divisor = torch.where(divisor == 0, torch.ones_like(divisor), divisor)
    else:
        change, divisor = weighted.sum(dim=0), weights.sum(dim=0)
        divisor = torch.where(divisor.abs() < 1e-8, torch.ones_like(divisor), divisor)
    return change / divisor if normalize else change


def sce_change(deltas: torch.Tensor, share: float) -> torch.Tensor:
    """Return what SCE makes of what models changed: select, calculate, erase.

    Args:
        deltas: [models, ...].
        share: of the elements in which models differ, how many are kept: those with the largest variance.
    """
    if share < 1:
        variance = torch.var(deltas, dim=0, unbiased=False)
        count = int(abs(share) * int(torch.count_nonzero(variance)))
        mask = torch.zeros_like(variance)
        if count:
            mask.view(-1)[torch.topk(variance.view(-1), count).indices] = 1
        deltas = deltas * mask
    sizes = deltas.square().reshape(len(deltas), -1).mean(dim=1)
    total = sizes.sum().item()
    shares = sizes / total if total >= _NO_SIZE else torch.ones_like(sizes) / len(sizes)
    kept = shares.reshape(-1, *(1 for _ in deltas.shape[1:])) * _agrees_with_sum(deltas)
    return (deltas * kept).sum(dim=0) / kept.sum(dim=0).clamp(min=_NO_SHARE)


def keep_largest(delta: torch.Tensor, density: float) -> torch.Tensor:
    """Return a mask of the share `density` of elements with the largest magnitudes, of one at the least."""
    mask = torch.zeros_like(delta)
    order = torch.argsort(delta.abs().reshape(-1).float(), descending=True)
    mask.view(-1)[order[: max(1, int(density * delta.numel()))]] = 1
    return mask


def keep_middle(delta: torch.Tensor, density: float, gamma: float) -> torch.Tensor:
    """Return a mask of the share `density` of elements, neither the smallest nor the share `gamma` of the largest."""
    count = delta.numel()
    kept, most = int(density * count), int(gamma * count)
    least = count - kept - most
    if least < 0:
        least, most = 0, most + least
    mask = torch.zeros_like(delta)
    order = torch.sort(delta.abs().reshape(-1).float()).indices
    mask.view(-1)[order[least : count - most]] = 1
    return mask


def draw_evenly(delta: torch.Tensor, density: float, drawn: torch.Generator) -> torch.Tensor:
    """Return a mask of elements, each of which is kept with the probability `density`."""
    return torch.bernoulli(torch.full(delta.shape, density), generator=drawn).to(delta.dtype)


def draw_by_rank(delta: torch.Tensor, density: float, epsilon: float, drawn: torch.Generator) -> torch.Tensor:
    """Return a mask of elements, kept with a probability from `density - epsilon` to `density + epsilon`.

    It rises with the rank of an element's magnitude along dimension 1; a vector is one row.
    """
    rows = delta.abs() if delta.dim() > 1 else delta.abs().unsqueeze(0)
    ranks = torch.argsort(torch.argsort(rows, dim=1), dim=1).float()
    place = ranks / max(1, rows.shape[1] - 1)
    probability = density - epsilon + 2 * epsilon * place
    return torch.bernoulli(probability, generator=drawn).to(delta.dtype).reshape(delta.shape)


def _thinned(
    document: MergeDocument, model: str, name: str, delta: torch.Tensor, drawn: torch.Generator
) -> torch.Tensor:
    """Return what a model changed, thinned out as the method does."""
    density = float(document.of_model(model, "density", name))
    if density >= 1:
        return delta
    if not density > 0 or int(density * delta.numel()) == 0:
        return torch.zeros_like(delta)
    match document.method.sparsity:
        case "magnitude":
            mask = keep_largest(delta, density)
        case "outliers":
            mask = keep_middle(delta, density, float(document.of_model(model, "gamma", name)))
        case "random":
            mask = draw_evenly(delta, density, drawn)
        case _:
            epsilon = float(document.of_model(model, "epsilon", name))
            if not 0 < density - epsilon <= density + epsilon < 1:
                raise RecipeError(
                    "{where}: {name} has density {density} and epsilon {epsilon} in {model}. Expected "
                    "density minus epsilon and density plus epsilon between 0 and 1.",
                    where=document.where,
                    name=name,
                    density=density,
                    epsilon=epsilon,
                    model=model,
                )
            mask = draw_by_rank(delta, density, epsilon, drawn)
    return _rescaled(delta, mask) if document.shared("rescale", name) else delta * mask


def _rescaled(delta: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the kept elements, made larger so that their magnitudes add up to what all of them did."""
    work = delta.float() if delta.dtype == torch.float16 else delta
    kept = work * mask
    before, after = work.abs().sum(), kept.abs().sum()
    if before < _NO_LENGTH or after < _NO_LENGTH:
        return kept.to(delta.dtype)
    return (kept * (before / after)).to(delta.dtype)


def _agrees_with_sum(values: torch.Tensor) -> torch.Tensor:
    """Return where the sign of an element is that of the sum over models, zero counting as plus: [models, ...]."""
    return values.sign() == torch.where(values.sum(dim=0) >= 0, 1.0, -1.0).to(values.dtype)
