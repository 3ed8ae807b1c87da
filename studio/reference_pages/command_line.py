"""The page on the command line: every command with its arguments and options, from the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from studio.cli.app import app
from studio.i18n import Lang

from .phrases import NONE, beside, code, fenced, joined, made_from_the_program, say, table
from .values import type_words


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command.

    Attributes:
        name: `--seed`, or `RUN` of an argument.
        value: what stands for its value in a usage; None of a flag.
        annotation: its type.
        required: whether the command needs it.
        default: what holds where it is not given.
        at_least, at_most: limits of a number.
        meaning: in English.
    """

    name: str
    value: str | None
    annotation: Any
    required: bool
    default: Any
    at_least: float | None
    at_most: float | None
    meaning: str

    @property
    def is_option(self) -> bool:
        """Whether it has a name on the command line, and not a place."""
        return self.name.startswith("--")

    @property
    def usage(self) -> str:
        """It in the usage of its command."""
        text = f"{self.name} {self.value}" if self.is_option and self.value else self.name
        return text if self.required else f"[{text}]"


@dataclass(frozen=True)
class Command:
    """A command, by the words that one types: `m2n2 prompts split`."""

    name: str
    meaning: str  # in English, then after a slash in Japanese
    parameters: tuple[Parameter, ...]

    @property
    def usage(self) -> str:
        """How it is typed: arguments, what it needs, then whatever else."""
        arguments = [one.usage for one in self.parameters if not one.is_option]
        needed = [one.usage for one in self.parameters if one.is_option and one.required]
        more = ["[OPTIONS]"] if any(one.is_option and not one.required for one in self.parameters) else []
        return " ".join([self.name, *arguments, *needed, *more])


def commands() -> Iterator[Command]:
    """Every command, as `m2n2 --help` lists them."""
    yield from _commands_of(get_command(app), "m2n2")


def page(lang: Lang) -> str:
    """The whole page, as Markdown."""
    every = list(commands())
    return joined(
        [
            made_from_the_program("command-line", lang),
            f"# {say(lang, 'Command line')}",
            say(
                lang,
                "`m2n2` does in a terminal what the pages do in a browser. An error is one line on stderr, with exit "
                "code 1; a command typed wrongly has exit code 2. With `--json` a command prints one JSON object on "
                "stdout and nothing else there. `m2n2 COMMAND --help` says in the terminal what this page says.",
            ),
            say(
                lang,
                "What the words mean: [concepts]({concepts}). What a run file may say: [run files]({run_file}).",
                concepts=beside(lang, "concepts"),
                run_file=beside(lang, "run-file"),
            ),
            table(
                [say(lang, "command"), say(lang, "what it does")],
                [[f"[{code(one.name)}](#{one.name.replace(' ', '-')})", in_language(lang, one)] for one in every],
            ),
            *(block for one in every for block in _section(lang, one)),
        ]
    )


def in_language(lang: Lang, command: Command) -> str:
    """What a command does, in one of the two languages that its help has."""
    english, _, translated = command.meaning.rpartition(" / ")
    return english if lang == "en" else translated


def _section(lang: Lang, command: Command) -> list[str]:
    blocks = [f"## {command.name}", in_language(lang, command), fenced(command.usage, "text")]
    for head, is_option in (("argument", False), ("option", True)):
        rows = [
            [code(one.name), _value(lang, one), _default(lang, one), say(lang, one.meaning)]
            for one in command.parameters
            if one.is_option is is_option
        ]
        if rows:
            blocks.append(table([say(lang, word) for word in (head, "value", "default", "meaning")], rows))
    return blocks


def _value(lang: Lang, parameter: Parameter) -> str:
    if parameter.annotation is bool:
        return NONE
    limits = [
        f"{sign} {limit:.10g}"
        for sign, limit in (("≥", parameter.at_least), ("≤", parameter.at_most))
        if limit is not None
    ]
    return ", ".join([type_words(lang, parameter.annotation), *limits])


def _default(lang: Lang, parameter: Parameter) -> str:
    if parameter.required:
        return say(lang, "required")
    return NONE if parameter.default is None or parameter.default is False else code(str(parameter.default))


def _commands_of(command: Any, name: str) -> Iterator[Command]:
    if getattr(command, "invoke_without_command", False):
        yield Command(name, command.help, tuple(_parameters(command)))
    if inner := getattr(command, "commands", None):
        for word, one in inner.items():
            yield from _commands_of(one, f"{name} {word}")
    else:
        yield Command(name, command.help, tuple(_parameters(command)))


def _one_of(annotation: Any) -> Any:
    """The type of one value, where an option may be left out or an argument repeated."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    several = get_origin(annotation) is list or type(None) in get_args(annotation)
    return _one_of(parts[0]) if several else annotation


def _stands_for(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    return {Path: "PATH", int: "NUMBER", float: "NUMBER"}.get(annotation, "TEXT")


def _parameters(command: Any) -> Iterator[Parameter]:
    """The parameters of a command; their types are those of its function, as typer has names of its own for them."""
    signature = inspect.signature(command.callback, eval_str=True)
    for one in command.params:
        if one.name not in signature.parameters:  # --help, and what shells ask for
            continue
        annotation = _one_of(signature.parameters[one.name].annotation.__origin__)  # of Annotated
        is_option = one.param_type_name == "option"
        yield Parameter(
            name=one.opts[0] if is_option else (one.metavar or one.name.upper()),
            value=None if annotation is bool else (one.metavar or _stands_for(annotation)),
            annotation=annotation,
            required=one.required,
            default=one.default,
            at_least=one.min,
            at_most=one.max,
            meaning=one.help,
        )
