"""Text of others in Markdown: names, captions and reasons that say what they say, and are no link, picture or HTML."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from markupsafe import Markup, escape

# What begins code, emphasis, links and pictures, HTML, table cells, formulas; `_` is none within a word.
_LIVE = re.compile(r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w{1,32};)")
_AT_THE_START = re.compile(r"(\d{0,9})([-+=#.)])")  # a list, a heading, an underline
_IN_A_TARGET = re.compile(r"[\s()<>%\\\"'?#]")


def markdown_text(text: object) -> str:
    """Write a text so that Markdown shows it as it is, in one line, wherever it stands in a sentence or a table.

    Characters that nobody sees, and those that turn the direction of what follows, become U+FFFD.
    """
    plain = "".join("\ufffd" if _is_unseen(letter) else letter for letter in " ".join(str(text).split()))
    escaped = _LIVE.sub(lambda found: f"\\{found[0]}", plain)
    start = _AT_THE_START.match(escaped)
    return f"{start[1]}\\{escaped[len(start[1]) :]}" if start else escaped


def markdown_code(text: object) -> str:
    """Write a text as a span of code: in more backticks than it holds in a row."""
    plain = " ".join(str(text).split())
    longest = max(map(len, re.findall("`+", plain)), default=0)
    around = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{around}{pad}{plain}{pad}{around}".replace("|", "\\|")


def link_target(place: str) -> str:
    """Write a relative place as the target of a link or a picture; letters of any script stay as they are."""
    return _IN_A_TARGET.sub(lambda found: quote(found[0], safe=""), place)


def stressed(words: str) -> Markup:
    """Render a sentence with `**stress**`, as the phrases of the studio write it, for a page that is HTML."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(words))))


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in "\u200c\u200d"
