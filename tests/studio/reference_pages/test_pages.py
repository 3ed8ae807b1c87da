"""The reference pages: as the program would write them, complete in both languages, true of what they describe."""

import re
from pathlib import Path

import pytest
import yaml

from studio.i18n import LANGUAGES, t
from studio.licences.catalogue import LICENCES
from studio.licences.ledger import columns
from studio.networks.config import AnyConfig
from studio.reference_pages import run_file
from studio.reference_pages.__main__ import pages
from studio.reference_pages.command_line import commands, in_language
from studio.reference_pages.dependencies import licence_of
from studio.reference_pages.phrases import code, japanese, say, table
from studio.reference_pages.values import limits_words, type_words
from studio.runs.config import RunConfig
from studio.runs.run_keys import RUN_KEYS, keys_of

ROOT = Path(__file__).resolve().parents[3]
PAGES = pages()
JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")


def fragments(phrase):
    """A phrase between its placeholders."""
    return [part for part in re.split(r"\{\w+\}", phrase) if part.strip()]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_program_would_write(name):
    assert (ROOT / "docs" / name).read_text("utf-8") == PAGES[name], "run `make docs`"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_nothing_of_the_machine_it_was_written_on(name):
    assert not any(place in PAGES[name] for place in (str(ROOT), str(Path.home()), "/tmp"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_links_to_pages_that_are_there_in_its_language(name):
    links = [one for one in re.findall(r"\]\(([^)#]+)\)", PAGES[name]) if not one.startswith("https://")]
    assert all((ROOT / "docs" / link).is_file() for link in links), links
    assert sum(link.endswith(".ja.md") is name.endswith(".ja.md") for link in links) == len(links) - 1  # the other one


def test_every_key_of_a_run_file_is_explained():
    for lang, page in (("en", PAGES["run-file.md"]), ("ja", PAGES["run-file.ja.md"])):
        pictures, any_network = page.split(f"## {say(lang, 'Runs over any other network')}")
        for rows, text in ((RUN_KEYS.values(), pictures), (keys_of(AnyConfig), any_network)):
            for row in rows:
                (line,) = re.findall(rf"^\| `{re.escape(row.key)}` \|.*$", text, re.MULTILINE)
                assert line.endswith(f"| {limits_words(lang, row)} | {say(lang, row.meaning)} |")


def test_every_command_and_option_is_explained_in_both_languages():
    for command in commands():
        english, translated = (in_language(lang, command) for lang in LANGUAGES)
        assert english
        assert not JAPANESE.search(english)
        assert JAPANESE.search(translated), command.name
        for lang, page in (("en", PAGES["command-line.md"]), ("ja", PAGES["command-line.ja.md"])):
            section = page.split(f"\n## {command.name}\n")[1].split("\n## ")[0]
            assert f"```text\n{command.usage}\n```" in section
            for one in command.parameters:
                assert f"| {code(one.name)} |" in section
                assert say(lang, one.meaning) in section


def test_every_licence_stands_in_all_three_tables():
    for lang, text in (("en", PAGES["licences.md"]), ("ja", PAGES["licences.ja.md"])):
        permitted, asked, clashing = text.split("\n## ")[1:4]
        for row in LICENCES:
            (line,) = re.findall(rf"^\| \[?`{re.escape(row.name)}`.*$", permitted, re.MULTILINE)
            assert line.endswith(f" | {' | '.join(columns(lang, row.permissions))} |")
            assert f"| `{row.name}` | {t(lang, row.duty_key)} |" in asked
            assert f"\n| `{row.name}` | " in clashing


def test_a_usage_says_what_a_command_needs():
    usages = {command.name: command.usage for command in commands()}
    assert usages["m2n2 evolve"] == "m2n2 evolve [RUN.yaml] [OPTIONS]"
    assert usages["m2n2 merge"] == "m2n2 merge RECIPE --out PATH [OPTIONS]"
    assert usages["m2n2 recipe pin"] == "m2n2 recipe pin RECIPE --out PATH"


def test_options_that_are_keys_have_the_limits_and_the_meaning_of_the_key():
    (evolve,) = (command for command in commands() if command.name == "m2n2 evolve")
    options = {one.name: one for one in evolve.parameters}
    for key in ("evaluations", "archive", "seed"):
        option, row = options[f"--{key}"], RUN_KEYS[key]
        assert (option.at_least, option.at_most, option.meaning) == (row.at_least, row.at_most, row.meaning)


def test_the_examples_are_run_files():
    RunConfig.model_validate(yaml.safe_load(run_file.PICTURES))
    AnyConfig.model_validate(yaml.safe_load(run_file.ANY_NETWORK))


def test_no_sentence_is_translated_that_no_page_says():
    english = "".join(text for name, text in PAGES.items() if not name.endswith(".ja.md"))
    for phrase, translated in japanese().items():
        assert all(part in english for part in fragments(phrase)), phrase
        assert sorted(re.findall(r"\{\w+\}", phrase)) == sorted(re.findall(r"\{\w+\}", translated))
        assert JAPANESE.search(translated), phrase


def test_a_sentence_without_japanese_is_an_error():
    with pytest.raises(KeyError, match="nobody wrote this"):
        say("ja", "nobody wrote this")


def test_a_package_whose_metadata_names_no_licence_is_under_the_one_that_comes_with_it():
    assert licence_of("treequest") == "Apache License Version 2.0, January 2004"
    assert licence_of("no-such-package") == ""


def test_values_in_words():
    assert type_words("en", tuple[str, ...]) == "[text, …]"
    assert type_words("ja", dict[str, float]) == "{文字列: 数値}"
    assert type_words("en", str | None) == "text"
    assert table(["a"], [["x|y"]]) == "| a |\n| --- |\n| x\\|y |"
