"""Tables of prompts as people's programs write them: in which letters, with which line ends, under which headers.

Read are UTF-8, UTF-16 and UTF-32 with their byte order marks, UTF-16 without one, ISO-2022-JP, which tells itself by
its escapes, and Shift-JIS, which is what Excel writes in Japan. A line ends with CR, LF or both.

A column `prompt` has captions in any language: those with Japanese letters are Japanese. So a `styles.csv` of A1111
(name, prompt, negative_prompt) is a table of prompts; what it is not to draw is left out.
"""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence

from eval.errors import PromptSetError
from pipelines.errors import Phrase, joined, short

from .prompt_set import written_language

_MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ESCAPE = b"\x1b"
# What programs call JIS X 0208 has the ring-numbers and company signs of JIS X 0213 at the same places.
_JIS_0208, _JIS_0213 = b"\x1b$B", b"\x1b$(Q"
_SEPARATORS = ",\t;"
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".avif")
_PROMPT, _PICTURE_NAME, _NEGATIVE, _REMARK = "prompt", "picture name", "negative prompt", ""
_PLACE_OF_PROMPT = "{prompt}"  # in A1111's styles, where the prompt that they are added to would stand
_SHOWN = 8  # headers in a message
_SPOKEN = (".csv", ".tsv")  # of these, a message may say the headers: another file was perhaps meant to stay unread

# What a header means, by what it is called in NFKC and small letters without blanks and underscores.
_MEANINGS: Mapping[str, Sequence[str]] = {
    "id": ("id", "no", "no.", "key", "name", "title", "番号", "名前", "名称", "題名", "タイトル", "プロンプト名"),
    "category": ("category", "genre", "カテゴリ", "カテゴリー", "分類", "種類", "種別", "区分", "ジャンル"),
    "ja": ("ja", "jp", "jpn", "japanese", "japrompt", "promptja", "captionja", "日本語", "日本語プロンプト", "和文"),
    "en": ("en", "eng", "english", "enprompt", "prompten", "captionen", "英語", "英語プロンプト", "英文"),
    "reference": ("reference", "referencepicture", "参照", "参照画像", "見本", "見本の絵", "見本画像"),
    _PROMPT: ("prompt", "positiveprompt", "caption", "プロンプト", "ポジティブプロンプト", "キャプション", "題材"),
    _PICTURE_NAME: ("picture", "image", "imagename", "file", "filename", "画像", "画像名", "ファイル", "ファイル名"),
    _NEGATIVE: ("negativeprompt", "negative", "ネガティブプロンプト"),
    _REMARK: ("note", "notes", "comment", "備考", "メモ", ""),
}
_MEANING = {spelling: meaning for meaning, spellings in _MEANINGS.items() for spelling in spellings}


def decode_table(name: str, content: bytes) -> str:
    """Decode the text of a table.

    Args:
        name: of the file, for messages.
        content: its bytes.

    Raises:
        PromptSetError: its letters cannot be told.
    """
    for written, encoding in _readings(content):
        try:
            return written.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise PromptSetError(
        "table {name}: expected text in UTF-8, UTF-16, Shift-JIS or ISO-2022-JP, found none of them; save it as UTF-8",
        name=name,
    )


def table_cells(text: str, where: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read the cells of a table by what their columns mean.

    Args:
        text: of the table; its first line names the columns.
        where: the file's name.
        columns: that the caller knows, `ja` and `en` among them.

    Returns:
        A line each: cells without blanks at their ends, by column.

    Raises:
        PromptSetError: no column of captions, one that is not understood, two with one meaning, two captions in one
            language in a line.
    """
    lines_of_text = io.StringIO(text, newline=None)  # lines may end with CR alone
    first = lines_of_text.readline()
    separator = max(_SEPARATORS, key=first.count)
    lines_of_text.seek(0)
    reader = csv.reader(lines_of_text, delimiter=separator)
    try:
        headers = [name.strip() for name in next(reader, [])]
        lines = [[cell.strip() for cell in line] for line in reader]
    except csv.Error as error:
        raise PromptSetError(
            "table {where}: expected a table, found none at line {line}; save it as CSV in UTF-8",
            where=where,
            line=reader.line_num + 1,
        ) from error
    meanings = _meanings(headers, lines)
    if None in meanings or not {"ja", "en", _PROMPT} & set(meanings):
        raise PromptSetError(
            "table {where}: expected a first line that names columns among {columns}, `ja` or `en` "
            "or `prompt` with them, found {found}; write such a line above the captions",
            where=where,
            columns=", ".join(columns),
            found=_said(headers, meanings, where),
        )
    twice = sorted({meaning for meaning in meanings if meaning and meanings.count(meaning) > 1})
    if twice:
        raise PromptSetError(
            "table {where}: expected one column for {name}, found {found}; rename those that are something else",
            where=where,
            name=twice[0],
            found=meanings.count(twice[0]),
        )
    rows = [_cells(line, meanings, f"table {where}, row {number}") for number, line in enumerate(lines, start=1)]
    if _NEGATIVE in meanings:  # a style may be of that alone, or of nothing
        rows = [row for row in rows if row.keys() & {"ja", "en"}]
    return rows


def _readings(content: bytes) -> list[tuple[bytes, str]]:
    """Return what the bytes of a text may be, likeliest first: the bytes to decode, and the encoding."""
    marked = next((encoding for mark, encoding in _MARKS.items() if content.startswith(mark)), None)
    if marked:
        return [(content, marked)]
    if b"\0" in content:  # of each pair of bytes one is zero wherever a letter or a comma is ASCII
        little = content[1::2].count(0) >= content[0::2].count(0)
        return [(content, "utf-16-le" if little else "utf-16-be")]
    if _ESCAPE in content and content.isascii():
        extended = content.replace(_JIS_0208, _JIS_0213)
        return [(content, "iso2022_jp"), (extended, "iso2022_jp_2004"), (content, "iso2022_jp_ext")]
    return [(content, "utf-8-sig"), (content, "cp932")]


def _meanings(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str | None]:
    """Return what each column means, `None` where that is not understood; columns beyond the headers have none."""
    found: list[str | None] = []
    for column, header in enumerate(headers):
        spelling = unicodedata.normalize("NFKC", header).lower()
        meaning = _MEANING.get("".join(letter for letter in spelling if letter not in " _-"))
        if meaning == _PICTURE_NAME:
            names = [line[column] for line in lines if column < len(line) and line[column]]
            meaning = "reference" if all(name.lower().endswith(_PICTURES) for name in names) else "id"
        found.append(meaning)
    return found


def _said(headers: Sequence[str], meanings: Sequence[str | None], where: str) -> str:
    """Return headers as a message may say them: long ones, and those of a file that is no table, by their number."""
    if where.lower().endswith(_SPOKEN):
        said = [short(header) for header in headers[:_SHOWN]]
        rest = len(headers) - len(said)
    else:
        said = [header for header, meaning in zip(headers, meanings, strict=True) if meaning]
        rest = len(headers) - len(said) if any(headers) else 0
    return joined(", ", [*said, *([Phrase("{rest} other words", rest=rest)] if rest else [])]) or repr("")


def _cells(line: Sequence[str], meanings: Sequence[str | None], where: str) -> dict[str, str]:
    cells: dict[str, str] = {}
    for meaning, cell in zip(meanings, line, strict=False):
        if meaning in (None, _REMARK, _NEGATIVE) or not cell:
            continue
        if meaning == _PROMPT:
            cell = _without_place(cell)
            meaning = written_language(cell)
            if cells.get(meaning):
                raise PromptSetError(
                    "{where}: expected one caption in {meaning!r}, found two; leave one of them out",
                    where=where,
                    meaning=meaning,
                )
        elif meaning in cells:
            raise PromptSetError(
                "{where}: expected one caption in {meaning!r}, found two; leave one of them out",
                where=where,
                meaning=meaning,
            )
        cells[meaning] = cell
    return cells


def _without_place(style: str) -> str:
    """Return the words of a style, without the place of the prompt that it is added to."""
    if _PLACE_OF_PROMPT not in style:
        return style
    kept = (part.replace(_PLACE_OF_PROMPT, " ").strip() for part in style.split(","))
    return ", ".join(part for part in kept if part)
