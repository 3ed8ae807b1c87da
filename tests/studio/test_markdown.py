"""Text of others says what it says: rendered, it is one text, with no link, picture, code or element in it."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from studio.markdown import link_target, markdown_code, markdown_text

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    *("<img src=x onerror=alert(1)>", "<!-- ", "-->", "<b>bold", "<http://evil.example>", "&lt;script&gt;", "&#60;"),
    *(
        "](http://evil.example)",
        "[a](http://evil.example)",
        "![](http://evil.example/x.png)",
        "[a]: http://evil.example",
    ),
    *("`code", "``", "```\ncode", "    code", "*a*", "__a__", "_a_", "~~a~~", "\\", "\\*a*", "$$x$$"),
    *("a | b", "a\nb", "a\r\n\n# b", "# a", "- a", "+ a", "1. a", "12) a", "=== ", "---", "> a"),
    *("\x00\x07", "a\u202eb", "\ud800"),
]


class Text(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_comment(self, data):
        self.tags.append("!--")

    def handle_data(self, data):
        self.text += data


def seen(text):
    """What a person is to see: blanks joined, what nobody sees replaced."""
    return " ".join("".join("\ufffd" if letter in "\x00\x07\u202e\ud800" else letter for letter in text).split())


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    ("around", "tags"),
    [("{}", ["p"]), ("a {} b", ["p"]), ("- {}", ["ul", "li"]), ("**{}**", ["p", "strong"]), ("# {}", ["h1"]),
     ("| {} | b |\n| --- | --- |\n| c | {} |", ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]),
     ("[{}](x)", ["p", "a"]), ("![{}](x)", ["p", "img"])],
)  # fmt: skip
def test_it_is_text_wherever_it_stands(text, around, tags):
    escaped = markdown_text(text)
    page = Text(RENDERER.render(around.replace("{}", escaped)))
    assert page.tags == tags
    if "img" not in tags:
        assert seen(text) in " ".join(page.text.split())


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=30))
def test_any_text_is_one_paragraph_that_reads_as_it_was(text):
    page = Text(RENDERER.render(f"x {markdown_text(text)}"))
    assert page.tags == ["p"]
    assert " ".join(page.text.split()) == " ".join(f"x {text}".split())


@pytest.mark.parametrize(
    "text", ["anime", "photo-v1.2", "my_model_2", "CC-BY-4.0", "木の上の猫", "attention 50%", "a (b)", "R&D"]
)
def test_plain_text_stays_as_it_is(text):
    assert markdown_text(text) == text


@pytest.mark.parametrize("text", ["a", "`", "``a`", "a\nb", "<b>", "a|b"])
def test_code_holds_backticks(text):
    page = Text(RENDERER.render(f"x {markdown_code(text)}").replace("\\|", "|"))
    assert page.tags == ["p", "code"]
    assert page.text.strip() == f"x {' '.join(text.split())}"


def test_a_target_ends_where_it_ends():
    for name in ("a)b.png", "a (1).png", "<a>.png", "カメ-ja-0.png", "a%20.png", 'a".png'):
        page = RENDERER.render(f"![x](samples/{link_target(name)})")
        assert Text(page).tags == ["p", "img"]
        assert re.search(r'src="samples/[^"]+\.png"', page)
    assert link_target("カメ-ja-0.png") == "カメ-ja-0.png"
