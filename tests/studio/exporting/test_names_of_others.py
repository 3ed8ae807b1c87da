"""A card of sources, captions and sets with hostile names: what it shows of them is text."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from pipelines.checkpoints.sources import open_source
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from studio.exporting.card_content import (
    CardContent,
    CardPicture,
    CardScore,
    attribution_text,
    recipe_card_content,
)
from studio.exporting.export_plan import ExportPlan
from studio.exporting.licence_papers import licence_notice
from studio.exporting.model_card import model_card
from studio.exporting.recipe_package import RecipePackage
from studio.licences.inheritance import inherited_licences


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.places, self.comments, self.tags = [], [], set()
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.places += [value for name, value in attrs if name in ("href", "src")]

    def handle_comment(self, data):
        self.comments.append(data)


@pytest.mark.parametrize(
    "name",
    ["<img src=//evil.example/x>", "<!--", "a](//evil.example)", "![](//evil.example/x.png)", "`</code>`", "a|b|c",
     "a\n\n# b\n<script>x</script>", "<a href=//evil.example>x</a>", "[x]: //evil.example"],
)  # fmt: skip
def test_a_card_shows_names_of_others_as_text(copied, tmp_path, name):
    folder = copied("ja")
    (folder / "README.md").write_text(f"---\nlicense_name: {name!r}\n---\n")
    source = open_source(folder, name=name)
    sources = {name: source}
    recipe = blend([source], {"attention": [1.0], "backbone": [1.0]}, host={"default": name}, name="x")
    entries, plan = inherited_licences(recipe, sources), Plan(recipe, sources)
    attribution = attribution_text(entries)
    content = CardContent(
        title=name,
        summary=recipe_card_content(recipe, sources, name, attribution).summary,
        scores=(CardScore("ja", 0.5, name, "bred on", name),),
        samples=(CardPicture("a)b (c).png", name, b""),),
        attribution=attribution,
    )
    package = RecipePackage(ExportPlan(plan, tmp_path / "x", content, entries), tmp_path / "x.recipe.zip")
    hashes = {"unet": "ab"}
    documents = (
        model_card(plan, content, entries, "x", hashes).split("---\n", 2)[2],
        licence_notice(plan, content, entries),
        package.readme(hashes),
    )
    for text in documents:
        page = Page(text)
        assert page.comments == []
        assert not page.tags & {"script", "del"}
        assert all("evil" not in place for place in page.places)
        assert [place for place in page.places if place.startswith("samples/")] in ([], ["samples/a%29b%20%28c%29.png"])
        assert "evil.example" in text or "evil" not in name
