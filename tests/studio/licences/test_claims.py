"""Civitai's flags beside licences: claims that fill in what no licence says, and a base model whose licence holds."""

import json
from dataclasses import astuple

import pytest

from pipelines.checkpoints.sources import open_source
from studio.licences.combination import LicensedModel, find_clashes
from studio.licences.inheritance import source_licences
from studio.licences.ledger import ledger_of_sources
from studio.licences.names import known_or_guessed
from tests.full_keys import small_single_file


@pytest.fixture
def downloaded(copied):
    """Gives the entry of a single file with a header and what a download tool left beside it."""

    def entry(claims, name="anime", **header):
        folder = copied("ja", name)
        path = small_single_file(folder, folder / f"{name}.safetensors", **header)
        (folder / f"{name}.civitai.info").write_text(json.dumps(claims), "utf-8")
        return source_licences(open_source(path))[0]

    return entry


def test_flags_alone_are_claims(downloaded):
    flags = {"allowNoCredit": True, "allowCommercialUse": ["Image"], "allowDerivatives": True}
    found = downloaded({"model": {**flags, "allowDifferentLicense": False, "creator": {"username": "Aya"}}})
    assert (found.basis, found.terms, found.warning, found.origin.author) == ("civitai", (), "unknown", "Aya")
    columns = ("unknown", "condition", "allowed", "allowed", "condition", "condition")
    assert astuple(found.permissions) == columns
    against = LicensedModel("sdxl", (known_or_guessed("openrail++"),))
    assert find_clashes([LicensedModel("anime", found.licences), against]) == []  # a form's default stops nobody


def test_no_derivatives_stops_a_merge_even_as_a_claim(downloaded):
    found = downloaded({"model": {"allowDerivatives": False}})
    assert found.warning == "no_derivatives"
    (clash,) = find_clashes([LicensedModel("anime", found.licences)])
    assert clash.first.licence == "Civitai"


def test_a_licence_wins_over_a_claim(downloaded):
    flags = {"allowNoCredit": True, "allowCommercialUse": ["Image", "Rent", "Sell"], "allowDerivatives": True}
    found = downloaded({"model": flags}, **{"modelspec.license": "cc-by-nc-nd-4.0"})
    assert (found.basis, found.terms) == ("header", ("cc-by-nc-nd-4.0",))
    assert astuple(found.permissions) == astuple(known_or_guessed("cc-by-nc-nd-4.0").permissions)


@pytest.mark.parametrize(
    ("base", "licence"),
    [("Illustrious", "faipl-1.0-sd"), ("NoobAI", "faipl-1.0-sd-noobai"), ("SDXL 1.0", "openrail++"), ("Pony", None)],
)
def test_the_licence_of_the_base_model_holds(downloaded, base, licence):
    found = downloaded({"baseModel": base, "model": {"allowDifferentLicense": True, "allowCommercialUse": ["Sell"]}})
    if licence is None:
        assert (found.basis, found.terms) == ("civitai", ())
        return
    assert (found.basis, found.terms) == ("base_model", (licence,))
    assert found.permissions == known_or_guessed(licence).permissions


def test_a_licence_that_wants_a_name_that_nobody_gives_is_told(downloaded):
    by = {"modelspec.license": "cc-by-4.0"}
    assert downloaded({}, "one", **by).lacks_author
    assert not downloaded({"creator": "Aya"}, "two", **by).lacks_author
    assert not downloaded({}, "three", **{"modelspec.license": "openrail++"}).lacks_author


def test_the_ledger_of_the_embedded_family(family):
    ledger = ledger_of_sources(family.values())
    assert astuple(ledger.together) == ("allowed", "allowed", "forbidden", "allowed", "allowed", "allowed")
    assert ledger.clashes == []
    assert [row[0] for row in ledger.table("ja")] == [*family, "全体"]
    assert {row[-1] for row in ledger.table("en")} == {"its card", ""}
