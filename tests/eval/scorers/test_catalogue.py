"""The recommended scorers, against what open_clip says of them."""

import open_clip
import pytest

from eval.scorers.catalogue import RECOMMENDED, REPORTER, SCORER, recommended


@pytest.mark.parametrize("one", RECOMMENDED, ids=lambda one: one.model)
def test_recommendations_are_open_clips(one):
    config, pretrained = open_clip.get_model_config(one.model), open_clip.get_pretrained_cfg(one.model, one.tag)
    assert pretrained["hf_hub"] == one.repository + "/"
    assert config["text_cfg"].get("context_length", 77) == one.context_length
    assert config["vision_cfg"]["image_size"] == one.image_size
    assert recommended(one.name) is one


def test_the_reporter_is_of_another_family_than_fitness():
    assert recommended(SCORER).family != recommended(REPORTER).family


def test_teams_may_use_what_is_recommended():
    assert {one.licence for one in RECOMMENDED} == {"MIT", "Apache-2.0"}


def test_fitness_follows_japanese_best():
    assert recommended(SCORER).japanese == max(one.japanese for one in RECOMMENDED if one.japanese)


def test_other_names_are_not_recommended():
    assert recommended("ViT-B-32/openai") is None


@pytest.mark.parametrize("one", RECOMMENDED, ids=lambda one: one.model)
def test_every_row_says_what_somebody_who_chooses_should_know(one):
    assert one.label.startswith(f"{one.model} ({one.licence}, ")
    assert one.short_name != one.name
    assert one.why
    assert len({row.short_name for row in RECOMMENDED}) == len({row.name for row in RECOMMENDED}) == len(RECOMMENDED)
