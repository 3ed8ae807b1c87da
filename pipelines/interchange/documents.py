"""mergekit's YAML as values: one merge a document, in which later ones may name the results of earlier ones.

    merge_method: slerp
    base_model: one.safetensors
    models:
      - model: one.safetensors
      - model: two.safetensors
    parameters:
      t:
        - filter: attn
          value: 0.3
        - value: 0.6

A setting is a number, or a list of conditions of which the first whose `filter` lies anywhere in a tensor's name holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines.errors import RecipeError
from pipelines.exporting.provenance import uri_without_places

from .methods import REQUIRED, Default, MergeMethod

DTYPES = {"float16": "F16", "bfloat16": "BF16", "float32": "F32"}
Number = float | bool
Setting = Number | tuple[tuple[str | None, Number], ...]  # a value, or values by what a tensor's name must hold


@dataclass(frozen=True)
class MergeInput:
    """A model that goes into a merge, with the parameters that are its own."""

    model: str
    parameters: Mapping[str, Setting]


@dataclass(frozen=True)
class MergeDocument:
    """One merge.

    Attributes:
        where: what to call it in messages.
        name: how other documents name its result; `None` of the last one.
        method: what it does.
        models: its inputs, in order; without the base unless it is listed.
        base: the model that task vectors start from.
        parameters: of all models.
        dtype: what inputs are rounded to first, in safetensors' code.
        out_dtype: what the result is rounded to.
        ignored: keys and parameters that change nothing here, as in mergekit.
    """

    where: str
    name: str | None
    method: MergeMethod
    models: tuple[MergeInput, ...]
    base: str | None
    parameters: Mapping[str, Setting]
    dtype: str | None = None
    out_dtype: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """All models that it reads, each once: those listed, then the base if it is not among them."""
        named = [one.model for one in self.models]
        return tuple(dict.fromkeys([*named, *([self.base] if self.base else [])]))

    def shared(self, parameter: str, tensor: str) -> Number:
        """Return a parameter of the whole merge for a tensor of that name.

        Raises:
            RecipeError: the method needs it, and it says nothing for this tensor.
        """
        return self._value(parameter, tensor, (self.parameters,), self.method.shared[parameter], "")

    def of_model(self, model: str, parameter: str, tensor: str) -> Number:
        """Return a parameter of one model for a tensor of that name; its own goes before that of the whole merge.

        Raises:
            RecipeError: the method needs it, and it says nothing for this tensor.
        """
        own = next((one.parameters for one in self.models if one.model == model), {})
        return self._value(parameter, tensor, (own, self.parameters), self.method.per_model[parameter], f" of {model}")

    def _value(
        self, parameter: str, tensor: str, places: tuple[Mapping[str, Setting], ...], default: Default, whose: str
    ) -> Number:
        for place in places:
            if parameter in place and (value := _evaluate(place[parameter], tensor)) is not None:
                return value
        if default is REQUIRED:
            raise RecipeError(
                "{where}: {parameter}{whose} has no value for the tensor {tensor}. Expected one, as "
                "{method} needs it: add `- value: NUMBER` at the end of its list.",
                where=self.where,
                parameter=parameter,
                whose=whose,
                tensor=tensor,
                method=self.method.name,
            )
        return default


def _evaluate(setting: Setting, tensor: str) -> Number | None:
    if not isinstance(setting, tuple):
        return setting
    return next((value for part, value in setting if part is None or part in tensor), None)


def portable_yaml(documents: Iterable[MergeDocument], seed: int) -> str:
    """Write documents as YAML again, models by their names alone: where they lie stays on this machine."""
    written = "---\n".join(
        yaml.safe_dump(_content(document), sort_keys=False, default_flow_style=None, allow_unicode=True)
        for document in documents
    )
    return f"# seed {seed}\n{written}"


def _content(document: MergeDocument) -> dict[str, Any]:
    stated = {
        "name": document.name,
        "merge_method": document.method.name,
        "base_model": document.base and uri_without_places(document.base),
        "models": [
            {"model": uri_without_places(one.model)}
            | ({"parameters": _settings(one.parameters)} if one.parameters else {})
            for one in document.models
        ],
        "parameters": _settings(document.parameters),
        "dtype": _dtype_name(document.dtype),
        "out_dtype": _dtype_name(document.out_dtype),
    }
    return {key: value for key, value in stated.items() if value}


def _settings(parameters: Mapping[str, Setting]) -> dict[str, Any]:
    return {
        name: [{"filter": part, "value": value} if part is not None else {"value": value} for part, value in setting]
        if isinstance(setting, tuple)
        else setting
        for name, setting in parameters.items()
    }


def _dtype_name(code: str | None) -> str | None:
    return next((name for name, known in DTYPES.items() if known == code), None)
