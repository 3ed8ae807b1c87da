"""The table of licences: every row is found by what people write, and has its words."""

import pytest

from studio.i18n import LANGUAGES, words
from studio.licences.catalogue import KNOWN_LICENCES, LICENCES, hub_name, licence_restriction, restriction_in_name


@pytest.mark.parametrize("row", LICENCES, ids=lambda row: row.name)
def test_every_licence_is_found_by_all_its_names(row):
    assert KNOWN_LICENCES[row.name] is row
    assert {hub_name(written) for written in (row.name, row.name.upper(), *row.spellings)} == {row.name}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_licence_asks_is_said_for_every_row_and_for_no_other(lang):
    assert {key for key in words(lang) if key.startswith("duty_")} == {row.duty_key for row in LICENCES}


@pytest.mark.parametrize("row", LICENCES, ids=lambda row: row.name)
def test_a_row_forbids_what_its_name_says(row):
    assert licence_restriction(row.name) == row.forbids == restriction_in_name(row.name)
    if row.forbids:
        assert all(f"warning_{row.forbids}" in words(lang) for lang in LANGUAGES)


def test_of_a_licence_that_is_not_known_the_name_speaks():
    assert licence_restriction("flux-1-dev-non-commercial") == "non_commercial"
    assert licence_restriction("cc-by-nc-nd-4.0") == "no_derivatives"
    assert licence_restriction("our-house-rules") is None
