"""The table of licences: every row is found by what people write, and has its words."""

from dataclasses import astuple
from typing import get_args

import pytest

from studio.i18n import LANGUAGES, words
from studio.licences.catalogue import KNOWN_LICENCES, LICENCES
from studio.licences.inheritance import Basis
from studio.licences.names import hub_name, known_or_guessed, licence_of_model, licence_restriction
from studio.licences.permissions import COLUMNS, UNKNOWN_PERMISSIONS, PassedOnTerm, Permission, strictest

TERMS = get_args(PassedOnTerm)


@pytest.mark.parametrize("row", LICENCES, ids=lambda row: row.name)
def test_every_licence_is_found_by_all_its_names(row):
    assert KNOWN_LICENCES[row.name] is row
    assert {hub_name(written) for written in (row.name, row.name.upper(), *row.spellings)} == {row.name}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_licence_asks_is_said_for_every_row_and_for_no_other(lang):
    assert {key for key in words(lang) if key.startswith("duty_")} == {row.duty_key for row in LICENCES}


@pytest.mark.parametrize("row", LICENCES, ids=lambda row: row.name)
def test_a_row_forbids_what_is_warned_of(row):
    assert licence_restriction(row.name) == row.forbids
    if row.forbids:
        assert all(f"warning_{row.forbids}" in words(lang) for lang in LANGUAGES)


CREATIVE_COMMONS = {  # use, commercial use, without credit, sharing merges, other terms, pictures and service
    "cc-by-4.0": ("allowed", "allowed", "forbidden", "allowed", "allowed", "allowed"),
    "cc-by-sa-4.0": ("allowed", "allowed", "forbidden", "condition", "forbidden", "allowed"),
    "cc-by-nc-4.0": ("allowed", "forbidden", "forbidden", "allowed", "condition", "forbidden"),
    "cc-by-nc-sa-4.0": ("allowed", "forbidden", "forbidden", "condition", "forbidden", "forbidden"),
    "cc-by-nd-4.0": ("allowed", "allowed", "forbidden", "forbidden", "forbidden", "allowed"),
    "cc-by-nc-nd-4.0": ("allowed", "forbidden", "forbidden", "forbidden", "forbidden", "forbidden"),
}


@pytest.mark.parametrize("name", CREATIVE_COMMONS)
def test_the_six_columns_of_creative_commons(name):
    assert astuple(KNOWN_LICENCES[name].permissions) == CREATIVE_COMMONS[name]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_column_every_answer_and_every_term_has_its_words(lang):
    for prefix, members in (("may", COLUMNS), ("permission", get_args(Permission)), ("term", TERMS)):
        assert {key for key in words(lang) if key.startswith(f"{prefix}_")} == {f"{prefix}_{one}" for one in members}
    assert {key for key in words(lang) if key.startswith("basis_")} == {f"basis_{one}" for one in get_args(Basis)}


def test_of_several_the_strictest_holds_and_nobody_guesses():
    apache, nc, unknown = (known_or_guessed(name).permissions for name in ("apache-2.0", "cc-by-nc-4.0", ""))
    assert strictest([apache, nc]).commercial_use == "forbidden"
    assert strictest([apache, unknown]).commercial_use == "unknown"
    assert strictest([nc, unknown]).commercial_use == "forbidden"
    assert strictest([apache, nc]).other_terms == "condition"
    assert strictest([]) == UNKNOWN_PERMISSIONS


@pytest.mark.parametrize(
    ("named", "model", "holds"),
    [
        ("faipl-1.0-sd", "Laxhar/noobai-XL-1.1", "faipl-1.0-sd-noobai"),  # its card adds to the licence that it names
        ("", "noobaiXLNAIXL_vPred10Version", "faipl-1.0-sd-noobai"),
        ("faipl-1.0-sd", "cagliostrolab/animagine-xl-3.1", "faipl-1.0-sd"),
        ("other", "stabilityai/japanese-stable-diffusion-xl", "japanese-stable-diffusion-xl"),
        ("apache-2.0", "somebody/noobai-tools", "apache-2.0"),
        ("", "sakura", ""),
    ],
)
def test_some_models_ask_for_more_than_the_licence_they_name(named, model, holds):
    assert licence_of_model(named, model) == holds


def test_of_a_licence_that_is_not_known_the_name_speaks():
    assert licence_restriction("flux-1-dev-non-commercial") == "non_commercial"
    assert licence_restriction("cc-by-nc-nd-4.0") == "no_derivatives"
    assert licence_restriction("our-house-rules") is None
