"""What is wrong with a prompt set, in phrases fit for a message."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from pipelines.errors import Phrase, joined, short, validator_phrase


def explain_invalid(error: ValidationError) -> Phrase:
    """Return the first problems that pydantic found, each as: where, what is wrong, what came, what to do."""
    lines: list[str] = []
    for problem in error.errors()[:3]:
        where = ".".join(str(part) for part in problem["loc"]) or Phrase("the set")
        if problem["type"] == "extra_forbidden":
            lines.append(Phrase("unknown key `{where}`; remove it or correct its spelling", where=where))
        elif problem["type"] == "value_error":
            lines.append(validator_phrase(problem))
        elif problem["type"] == "string_type":
            lines.append(
                Phrase(
                    "`{where}`: expected text, found {found}; put it in quotes",
                    where=where,
                    found=short(problem["input"]),
                )
            )
        elif problem["type"] == "string_pattern_mismatch":
            lines.append(
                Phrase("`{where}`: expected text, found only blanks; write it or leave the key out", where=where)
            )
        elif problem["type"] == "missing":
            lines.append(Phrase("`{where}` is missing; add it", where=where))
        else:
            lines.append(
                Phrase(
                    "`{where}`: {problem}, found {found}",
                    where=where,
                    problem=problem["msg"],
                    found=short(problem["input"]),
                )
            )
    rest = error.error_count() - len(lines)
    more = [Phrase("and {rest} more", rest=rest)] if rest > 0 else []
    return joined("; ", [*lines, *more])


def first_names(names: Sequence[str], limit: int = 5) -> Phrase:
    """Return a list fit for a message: its first names, and how many are left out."""
    rest = len(names) - limit
    shown = ", ".join(name or "(no id)" for name in names[:limit])
    return Phrase("{shown} and {rest} more", shown=shown, rest=rest) if rest > 0 else Phrase("{shown}", shown=shown)
