"""Colours of pictures that can be worked out by hand, and of offspring beside their sources."""

from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from studio.analysis.colours import ColourDrift, Colours, colour_drift, offspring_drift, picture_colours
from studio.i18n import LANGUAGES
from studio.png_metadata import png_bytes
from studio.runs.individual import Individual
from studio.runs.picture_names import image_folder


def one_colour(*rgb):
    return Image.new("RGB", (4, 4), rgb)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (one_colour(255, 0, 0), (0.299, 1.0, 0.0)),
        (one_colour(0, 0, 0), (0.0, 0.0, 0.0)),  # black has no saturation
        (one_colour(255, 255, 255), (1.0, 0.0, 0.0)),
        (one_colour(100, 50, 75), ((0.299 * 100 + 0.587 * 50 + 0.114 * 75) / 255, 0.5, 0.0)),
        (Image.fromarray(np.array([[0, 255]], np.uint8)), (0.5, 0.0, 0.5)),  # half black, half white
    ],
)
def test_brightness_saturation_and_contrast(picture, expected):
    found = picture_colours(picture)
    assert (found.brightness, found.saturation, found.contrast) == pytest.approx(expected, abs=1e-12)


class Drawings:
    """A run's pictures and sources, as `colour_drift` asks for them."""

    def __init__(self, folder, recipes):
        self.folder = folder
        self.recipes = recipes

    def draw(self, id, *greys, seeds=None):
        folder = image_folder(self.folder, id)
        folder.mkdir(parents=True, exist_ok=True)
        for number, grey in enumerate(greys):
            data = {"seed": seeds[number] if seeds else number}
            (folder / f"{number}-ja-0.png").write_bytes(png_bytes(one_colour(grey, grey, grey), data))
        return self.individual(id)

    def individual(self, id, mother=None):
        recipe = self.recipes[id]
        return Individual(id, mother, mother, recipe, {}, True, True, 1.0, datetime(2026, 1, 1, tzinfo=UTC))

    def images(self, id):
        return sorted(image_folder(self.folder, id).glob("*.png"))


@pytest.fixture
def drawings(tmp_path, one_hot):
    return Drawings(tmp_path, one_hot)


def test_drift_is_from_the_mean_of_the_others_over_the_same_pictures(drawings):
    child = drawings.draw("base", 255, 255, 0)
    others = [drawings.draw("ja", 0, 51), drawings.draw("flat", 51, 153, 7, 7)]
    drift = colour_drift(drawings, child, others)
    assert drift.pictures == 2  # 0 and 1: of the third `ja` has none
    assert drift.own.brightness == pytest.approx(1.0)
    assert {id: colours.brightness for id, colours in drift.others.items()} == pytest.approx({"ja": 0.1, "flat": 0.4})
    assert drift.change("brightness") == pytest.approx(0.75)
    assert drift.outside == ("brightness",)


def test_pictures_of_other_seeds_are_not_compared(drawings):
    child, other = drawings.draw("base", 10, 20, seeds=[1, 2]), drawings.draw("ja", 10, 40, seeds=[1, 3])
    drift = colour_drift(drawings, child, [other])
    assert (drift.pictures, drift.change("brightness")) == (1, 0.0)
    assert drift.outside == ()


def test_without_pictures_in_common_there_is_no_drift(drawings):
    child = drawings.draw("base", 10)
    assert colour_drift(drawings, child, []) is None
    assert colour_drift(drawings, child, [drawings.individual("ja")]) is None
    assert colour_drift(drawings, drawings.individual("real"), [child]) is None


def test_a_damaged_picture_is_passed_over(drawings):
    child, other = drawings.draw("base", 10, 20), drawings.draw("ja", 10, 20)
    file = drawings.images("ja")[0]
    file.write_bytes(file.read_bytes()[:-34])
    assert colour_drift(drawings, child, [other]).pictures == 1


def test_an_offspring_is_compared_with_the_sources_in_it(bred):
    child = bred.individual("0001")
    drift = offspring_drift(bred, child)
    assert set(drift.others) <= {"base", "ja", "flat", "real"}
    assert drift.pictures > 0
    names = [file.name for file in bred.images("0001")]
    shared = [name for name in names if all((bred.folder / "images" / id / name).is_file() for id in drift.others)]
    assert drift.pictures == len(shared)
    greys = [
        np.asarray(Image.open(bred.folder / "images" / "0001" / name).convert("RGB"), np.float64)
        @ [0.299, 0.587, 0.114]
        for name in shared
    ]
    assert drift.own.brightness == pytest.approx(np.mean([grey.mean() for grey in greys]) / 255)
    assert offspring_drift(bred, bred.individual("ja")) is None


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sentences_say_numbers_and_what_is_outside(lang):
    drift = ColourDrift(Colours(0.6, 0.2, 0.1), {"ja": Colours(0.5, 0.2, 0.2), "flat": Colours(0.3, 0.1, 0.2)}, 12)
    first, second = drift.sentences(lang)
    assert all(part in first for part in ("0.60", "+0.20", "+0.05", "-0.10", "12", "ja", "flat"))
    assert ("brightness and contrast" if lang == "en" else "明るさ、コントラスト") in second
    assert drift.as_json()["outside"] == ["brightness", "contrast"]
