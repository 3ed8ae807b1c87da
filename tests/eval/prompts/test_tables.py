"""Tables as people's programs write them: letters, line ends, headers."""

import pytest

from eval.errors import PromptSetError
from eval.prompts.editing import PromptRow, read_rows

CAR, FLOWER = PromptRow("1", "乗り物", "赤い車", "a red car"), PromptRow("2", "植物", "青い花", "a blue flower")
TABLE = "id,category,ja,en\n1,乗り物,赤い車,a red car\n2,植物,青い花,a blue flower\n"


def rows(tmp_path, content, name="t.csv"):
    (tmp_path / name).write_bytes(content)
    return read_rows(tmp_path / name)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_lines_end_as_they_like(tmp_path, end):
    assert rows(tmp_path, TABLE.replace("\n", end).encode()) == [CAR, FLOWER]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp932", "iso2022_jp"],
)
@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_letters_are_told_by_their_bytes(tmp_path, encoding, end):
    assert rows(tmp_path, TABLE.replace("\n", end).encode(encoding)) == [CAR, FLOWER]


def test_a_mark_of_either_order_goes(tmp_path):
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert rows(tmp_path, mark + TABLE.encode(encoding)) == [CAR, FLOWER]


def test_utf_16_of_kanji_alone_is_told_by_its_commas(tmp_path):
    text = "日本語,カテゴリ\n" + "金継ぎ茶碗水墨画,工芸\n" * 3
    assert rows(tmp_path, text.encode("utf-16-be")) == [PromptRow(category="工芸", ja="金継ぎ茶碗水墨画")] * 3


@pytest.mark.parametrize(
    ("headers", "line", "row"),
    [
        ("カテゴリ,日本語,英語", "動物,犬,dog", PromptRow(category="動物", ja="犬", en="dog")),
        ("画像名,プロンプト", "dog.png,犬", PromptRow(ja="犬", reference="dog.png")),
        ("画像名,プロンプト", "いぬ,犬", PromptRow("いぬ", ja="犬")),
        ("番号,分類,プロンプト", "3,動物,a dog", PromptRow("3", "動物", en="a dog")),
        ("ファイル名,日本語プロンプト,英語プロンプト", "a/b.JPG,犬,dog", PromptRow("", "", "犬", "dog", "a/b.JPG")),
        ("カテゴリー,日本語,プロンプト,備考", "動物,犬,a dog,かわいい", PromptRow("", "動物", "犬", "a dog")),
        ("ＩＤ,ＪＡ,Caption_EN", "x,犬,dog", PromptRow("x", ja="犬", en="dog")),
        ("no.,ｶﾃｺﾞﾘ,prompt", "7,動物,ｲﾇ", PromptRow("7", "動物", ja="ｲﾇ")),
        (",ja,", "0,犬,", PromptRow(ja="犬")),
    ],
)
def test_headers_that_people_write_are_understood(tmp_path, headers, line, row):
    assert rows(tmp_path, f"{headers}\n{line}\n".encode()) == [row]


def test_a1111s_styles_are_prompts(tmp_path):
    styles = (
        "\ufeffname,prompt,negative_prompt\r\n"
        'ink,"{prompt}, (ink wash:1.2), paper","blurry, text"\r\n'
        "None,,\r\n"
        'sumi,"水墨画, {prompt} の絵",\r\n'
    )
    assert rows(tmp_path, styles.encode(), "styles.csv") == [
        PromptRow("ink", en="(ink wash:1.2), paper"),
        PromptRow("sumi", ja="水墨画, の絵"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "題目,なにか\n犬,x\n", "found '題目', 'なにか'; write such a line"),
        ("t.csv", "ja,colour\n犬,red\n", "found 'ja', 'colour'"),
        ("t.csv", "a red car on a street\n", "found a str"),
        ("t.csv", ",".join(["ja", *"abcdefghij"]) + "\n", "'ja', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 3 other words"),
        ("passwd", "root:x:0:0\n", "found 1 other words"),
        ("t.csv", "ja,日本語\n犬,犬\n", "one column for ja, found 2"),
        ("t.csv", "ja,prompt\n犬,猫\n", "row 1: expected one caption in 'ja', found two"),
    ],
)
def test_what_is_not_understood_is_said_with_the_headers(tmp_path, name, text, message):
    with pytest.raises(PromptSetError, match=message):
        rows(tmp_path, text.encode(), name)


def test_bytes_of_no_letters_are_refused(tmp_path):
    with pytest.raises(PromptSetError, match="UTF-8, UTF-16, Shift-JIS or ISO-2022-JP, found none of them"):
        rows(tmp_path, b"ja\n\x1b$B\x21\x00\xff")
    with pytest.raises(PromptSetError, match="found none of them"):
        rows(tmp_path, b"ja\n\x81\xff")


def test_iso_2022_jp_may_have_the_signs_that_japanese_programs_add(tmp_path):
    """Row 13 of JIS, which is not in JIS X 0208: of Shift-JIS's bytes, as Windows has them, by JIS's own arithmetic."""
    signs = "①㈱Ⅲ犬"
    codes = b""
    for sign in signs:
        first, second = sign.encode("cp932")
        row = 2 * (first - (0x81 if first < 0xA0 else 0xC1)) + (second >= 0x9F)
        column = second - (0x9F if second >= 0x9F else 0x40 + (second > 0x7F))
        codes += bytes([row + 0x21, column + 0x21])
    content = b"ja,en\r\n\x1b$B" + codes + b"\x1b(B,x\r\n"
    assert rows(tmp_path, content) == [PromptRow(ja=signs, en="x")]
