"""Pictures and scores that a run kept of the captions that are asked for: shown at once, without drawing."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.prompts.prompt_set import LANGUAGES
from studio.png_metadata import generation_data
from studio.runs.individual import Individual
from studio.runs.inputs import RunPrompts
from studio.runs.noise import picture_data
from studio.runs.store import RunStore
from studio.ui.common.html import picture_address
from studio.ui.common.studio import Studio

from .cells import Asked, Cell, Place, key_of, matter
from .models import Contender


@dataclass(frozen=True)
class Kept:
    """What a run kept of one model.

    Attributes:
        cells: pictures by place.
        alike: consistency of the two languages' pictures, by their Japanese place, where both were kept.
        beside: scores of its parents and of the best source, by individual and place.
    """

    cells: dict[Place, Cell] = field(default_factory=dict)
    alike: dict[Place, float] = field(default_factory=dict)
    beside: dict[tuple[str, Place], float] = field(default_factory=dict)


def kept(studio: Studio, row: Contender, model: int, asked: Asked) -> Kept:
    """Pictures and scores of a model that are there without drawing; none of a recipe file's.

    Args:
        studio: whose runs they are.
        row: the model.
        model: its number among the rows.
        asked: captions, noises and settings; only what equals them counts.
    """
    found = Kept()
    if row.run is None or row.individual is None:
        return found
    with studio.run(row.run) as store:
        known = _Known(store, asked)
        for place in asked.places(model):
            if cell := known.cell(studio, row, place):
                found.cells[place] = cell
            for other in row.others:
                if (score := known.score(other.individual, place)) is not None:
                    found.beside[other.individual.id, place] = score
        for place in found.cells:
            ja, en = (place._replace(language=language) for language in LANGUAGES)
            match = known.score(row.individual, place, "consistency")
            if match is not None and ja in found.cells and en in found.cells:
                found.alike[ja] = match
    return found


class _Known:
    """What a run kept of the captions that are asked for."""

    def __init__(self, store: RunStore, asked: Asked) -> None:
        config = store.config
        niches = {prompt.id: (row, prompt) for row, prompt in enumerate(RunPrompts(config).niches.prompts)}
        self.store, self.asked = store, asked
        self.rows = {
            number: niches[prompt.id][0]
            for number, prompt in enumerate(asked.prompts)
            if prompt.id in niches and niches[prompt.id][1].model_copy(update={"reference": prompt.reference}) == prompt
        }
        # Stored scores are what this page shows where they are likeness to the caption, of the first noises.
        self.comparable = config.fitness == {"text": 1.0} and config.scorer == asked.scorer and not store.state.rotation
        same_settings = matter(config.pictures.model_dump()) == matter(asked.settings.model_dump())
        self.settings_match = same_settings and config.prompt_syntax == asked.syntax

    def cell(self, studio: Studio, row: Contender, place: Place) -> Cell | None:
        """The picture that the run kept, if it is the one asked for."""
        request = self.asked.request(place)
        if place.prompt not in self.rows or request is None or row.individual is None:
            return None
        file = self.store.image(row.individual.id, self.asked.prompts[place.prompt].id, place.language, place.noise)
        said = generation_data(file) if file.is_file() else None
        wanted = picture_data(row.individual.id, request, place.language, self.asked.settings)
        if said is None or matter(said) != matter(wanted):
            return None
        data = {**said, "individual": row.label, "recipe": row.digest}
        score = self.score(row.individual, place)
        if score is None and (judged := studio.judged.get(key_of(data, self.asked))):
            score = judged.score
        address = picture_address(self.store.name, file.parent.name, file.name)
        return Cell(address, data, score, file=file)

    def score(self, one: Individual, place: Place, kind: str | None = None) -> float | None:
        """What the run scored at a place."""
        values = one.scores.get(kind or place.language)
        if values is None or not self.comparable or not self.settings_match or place.prompt not in self.rows:
            return None
        return float(values[self.rows[place.prompt], place.noise]) if place.noise < values.shape[1] else None
