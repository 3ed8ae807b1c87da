"""mergekit's YAML, read and checked. What is not as expected is said with its place: file, document, key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from pipelines.errors import RecipeError, short, unreadable
from pipelines.untrusted import UnreadableDocument, parse_yaml_documents, read_text

from .documents import DTYPES, MergeDocument, MergeInput, Number, Setting
from .methods import METHODS, Default, MergeMethod

_KEYS = ("name", "merge_method", "models", "base_model", "parameters", "dtype", "out_dtype")
_OF_LANGUAGE_MODELS = ("tokenizer", "tokenizer_source", "chat_template")  # say nothing about weights
_LAYERED = {
    "slices": "it cuts language models into layers, which image models do not have",
    "modules": "it names the parts of a language model",
}


def read_documents(path: str | Path) -> list[MergeDocument]:
    """Read a YAML file of mergekit's; see `parse_documents`.

    Raises:
        RecipeError: no such file, or see `parse_documents`.
    """
    try:
        text = read_text(path)
    except (OSError, UnreadableDocument) as error:
        raise RecipeError(
            "{path} cannot be read ({reason}). Expected mergekit's YAML.", path=path, reason=unreadable(error)
        ) from error
    return parse_documents(text, str(path))


def parse_documents(text: str, where: str = "the YAML") -> list[MergeDocument]:
    """Read mergekit's YAML, of one merge or of several that build on each other.

    Returns:
        The documents in an order in which each finds its inputs made; the last one is the result.

    Raises:
        RecipeError: no YAML, a key or a method that is not known, a value of another kind, names that lead nowhere.
    """
    try:
        contents = [content for content in parse_yaml_documents(text) if content is not None]
    except UnreadableDocument as error:
        raise RecipeError(
            "{where} is no YAML ({reason}). Expected mergekit's.", where=where, reason=unreadable(error)
        ) from error
    if not contents:
        raise RecipeError("{where} is empty. Expected a merge: merge_method, models and parameters.", where=where)
    several = len(contents) > 1
    documents = [
        _Reader(f"{where}, document {number}" if several else where).document(content)
        for number, content in enumerate(contents, 1)
    ]
    return _in_order(documents, where)


class _Reader:
    """Reads one document, and says where something in it is not as expected."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._ignored: list[str] = []

    def document(self, content: Any) -> MergeDocument:
        if not isinstance(content, dict):
            raise self._error("the whole", "merge_method, models and parameters", content)
        for key in content:
            if key in _LAYERED:
                raise RecipeError(
                    "{where}: `{key}` is not read: {reason}. Expected `models`.",
                    where=self._where,
                    key=key,
                    reason=_LAYERED[key],
                )
            if key not in (*_KEYS, *_OF_LANGUAGE_MODELS):
                raise RecipeError(
                    "{where}: unknown key {key}. Expected {keys}.",
                    where=self._where,
                    key=short(key),
                    keys=", ".join(_KEYS),
                )
        self._ignored += [key for key in content if key in _OF_LANGUAGE_MODELS]
        method = self._method(content.get("merge_method"))
        models = content.get("models")
        if not isinstance(models, list) or not models:
            raise self._error("models", "a list of `- model: PATH`", models)
        base = content.get("base_model")
        inputs = tuple(self._input(one, f"models[{number}]", method) for number, one in enumerate(models))
        read = MergeDocument(
            where=self._where,
            name=self._text("name", content["name"]) if "name" in content else None,
            method=method,
            models=inputs,
            base=None if base is None else self._model(base, "base_model"),
            parameters=self._parameters(content.get("parameters"), "parameters", {**method.shared, **method.per_model}),
            dtype=self._dtype(content, "dtype"),
            out_dtype=self._dtype(content, "out_dtype"),
            ignored=tuple(self._ignored),
        )
        self._check_inputs(read)
        return read

    def _method(self, name: object) -> MergeMethod:
        if not isinstance(name, str) or name not in METHODS:
            raise self._error("merge_method", f"one of {', '.join(METHODS)}", name)
        return METHODS[name]

    def _input(self, entry: object, place: str, method: MergeMethod) -> MergeInput:
        if not isinstance(entry, dict) or "model" not in entry or not set(entry) <= {"model", "parameters"}:
            raise self._error(place, "`model: PATH`, with or without `parameters`", entry)
        known = {**method.shared, **method.per_model}
        return MergeInput(
            self._model(entry["model"], f"{place}.model"),
            self._parameters(entry.get("parameters"), f"{place}.parameters", known),
        )

    def _model(self, value: object, place: str) -> str:
        if isinstance(value, dict) and isinstance(value.get("model"), dict):  # mergekit's long form
            value = value["model"].get("path")
        return self._text(place, value)

    def _text(self, place: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise self._error(place, "a text", value)
        return value

    def _dtype(self, content: Mapping[str, Any], key: str) -> str | None:
        value = content.get(key)
        if value is None:
            return None
        if value not in DTYPES:
            raise self._error(key, " or ".join(DTYPES), value)
        return DTYPES[value]

    def _parameters(self, content: object, place: str, known: Mapping[str, Default]) -> dict[str, Setting]:
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise self._error(place, "parameters by name, such as `weight: 0.5`", content)
        read = {}
        for name, value in content.items():
            if name in known:
                read[name] = self._setting(value, f"{place}.{name}")
            else:
                self._ignored.append(f"{place}.{name}")
        return read

    def _setting(self, value: object, place: str) -> Setting:
        if _is_number(value):
            return value
        if isinstance(value, dict):
            raise self._error(place, "a number, or a list of `- filter: PART OF A NAME` with `value: NUMBER`", value)
        if not isinstance(value, list) or not value:
            raise self._error(place, "a number or a list", value)
        if all(map(_is_number, value)):  # a gradient over layers: without layers mergekit takes its beginning
            self._ignored.append(f"{place}[1:]")
            return value[0]
        return tuple(self._condition(one, f"{place}[{number}]") for number, one in enumerate(value))

    def _condition(self, entry: object, place: str) -> tuple[str | None, Number]:
        if not isinstance(entry, dict) or "value" not in entry or not set(entry) <= {"filter", "value"}:
            raise self._error(place, "`value: NUMBER`, with or without `filter: PART OF A NAME`", entry)
        value, part = entry["value"], entry.get("filter")
        if isinstance(value, list) and value and all(map(_is_number, value)):
            self._ignored.append(f"{place}.value[1:]")
            value = value[0]
        if not _is_number(value):
            raise self._error(f"{place}.value", "a number", value)
        if part is not None:
            part = self._text(f"{place}.filter", part)
        return (None if part == "*" else part), value

    def _check_inputs(self, read: MergeDocument) -> None:
        named = [one.model for one in read.models]
        others = set(named) - {read.base}
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice:
            raise RecipeError(
                "{where}: models lists {twice} twice. Expected every model once.", where=self._where, twice=twice
            )
        if read.method.needs_base and read.base is None:
            raise RecipeError(
                "{where}: {method} needs a base_model. Expected `base_model: PATH`.",
                where=self._where,
                method=read.method.name,
            )
        if read.method.name == "slerp" and len(read.inputs) != 2:
            raise RecipeError(
                "{where}: slerp is between two models. Expected two with the base among them, found "
                "{found}; karcher takes any number.",
                where=self._where,
                found=len(read.inputs),
            )
        if read.method.name == "nuslerp" and len(others) != 2:
            raise RecipeError(
                "{where}: nuslerp is between two models. Expected two beside the base, found "
                "{found}; karcher takes any number.",
                where=self._where,
                found=len(others),
            )
        if read.method.name == "nuslerp" and (
            read.parameters.get("nuslerp_row_wise") or not read.parameters.get("nuslerp_flatten", True)
        ):
            raise RecipeError(
                "{where}, at parameters: angles per row are not read. Expected `nuslerp_flatten: true` and "
                "`nuslerp_row_wise: false`, one angle per tensor.",
                where=self._where,
            )
        if read.method.name == "passthrough" and (len(named) != 1 or read.base not in (None, *named)):
            raise RecipeError(
                "{where}: passthrough hands one model on; layers of several cannot be stacked in SDXL. Expected "
                "one model, found {found}.",
                where=self._where,
                found=len(read.inputs),
            )
        if read.method.name == "model_stock" and len(read.inputs) < 3:
            raise RecipeError("{where}: model_stock takes two models and a base at least.", where=self._where)
        if read.method.name == "model_stock" and read.parameters.get("filter_wise"):
            raise RecipeError(
                "{where}, at parameters.filter_wise: angles per row are not read. Expected false, one angle per "
                "tensor.",
                where=self._where,
            )
        if read.method.needs_base and not others:
            raise RecipeError(
                "{where}: models lists the base alone. Expected what is merged into it.", where=self._where
            )

    def _error(self, place: str, expected: str, found: object) -> RecipeError:
        return RecipeError(
            "{where}, at {place}: found {found}. Expected {expected}.",
            where=self._where,
            place=place,
            found=short(found),
            expected=expected,
        )


def _is_number(value: object) -> TypeGuard[Number]:
    return isinstance(value, bool | int | float) and value == value and abs(value) != float("inf")


def _in_order(documents: list[MergeDocument], where: str) -> list[MergeDocument]:
    """Order documents so that each comes behind those that it names; the last is the result."""
    names = [document.name for document in documents]
    if len(documents) == 1:
        return documents
    if names.count(None) != 1:
        raise RecipeError(
            "{where} has {count} documents without a name. Expected one, which is the result, and "
            "`name: NAME` in the others.",
            where=where,
            count=names.count(None),
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise RecipeError(
            "{where} has two documents called {twice}. Expected a name of its own for each.", where=where, twice=twice
        )
    by_name = {document.name: document for document in documents}
    ordered: list[MergeDocument] = []

    def visit(document: MergeDocument, above: tuple[str | None, ...]) -> None:
        if document.name in above:
            raise RecipeError(
                "{where}: {name} is made of itself. Expected documents in a row.",
                where=document.where,
                name=document.name,
            )
        for name in document.inputs:
            if name in by_name and by_name[name] not in ordered:
                visit(by_name[name], (*above, document.name))
        if document not in ordered:
            ordered.append(document)

    visit(by_name[None], ())
    return ordered
