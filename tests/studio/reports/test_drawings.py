"""The family tree: pictures of the best and of whom it descends from, none over another."""

import itertools
import re

import pytest

from studio.analysis.lineage import ancestry
from studio.reports.drawings import TREE_PICTURE, TREE_WIDTH, family_tree


@pytest.fixture(scope="module")
def everyone(bred):
    return bred.individuals()


def drawn(tree):
    """Address and left edge of each picture."""
    return [(address, float(left)) for address, left in re.findall(r'<image href="([^"]+)" x="([\d.]+)"', tree)]


def test_the_best_and_its_ancestors_stand_above_the_tree(everyone):
    tree = family_tree("en", everyone, lambda id: f"/to/{id}", lambda id: f"/of/{id}?a&b")
    best = max((one for one in everyone if one.alive), key=lambda one: one.mean("ja"))
    line = {one.id for one in ancestry(everyone, [best.id])}
    shown = [address.removeprefix("/of/").removesuffix("?a&amp;b") for address, _ in drawn(tree)]
    sources = [one for one in everyone if one.is_source and one.id in line]
    assert shown[:2] == [best.id, max(sources, key=lambda one: one.mean("ja")).id]
    assert set(shown) <= line
    assert len(shown) == len(set(shown))
    lefts = sorted(left for _, left in drawn(tree))
    assert all(other - one >= TREE_PICTURE for one, other in itertools.pairwise(lefts))
    assert 0 <= lefts[0] <= lefts[-1] <= TREE_WIDTH - TREE_PICTURE
    for id in shown:
        assert f'<a href="/to/{id}"><image' in tree


def test_without_pictures_the_tree_is_as_tall_as_it_was(everyone):
    alone = family_tree("en", everyone, lambda id: id)
    assert 'viewBox="0 0 1200 260"' in alone
    assert drawn(alone) == []
    assert family_tree("en", everyone, lambda id: id, lambda id: None) == alone
    assert 'viewBox="0 -84 1200 344"' in family_tree("en", everyone, lambda id: id, lambda id: id)
