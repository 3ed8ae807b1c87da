"""Search at drawing time: many pictures of one prompt, the best of them first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

import assets
from eval.prompts.prompt_set import Language, written_language
from eval.scorers import names
from eval.scorers.catalogue import SCORER
from eval.scorers.scorer import Scorer
from pipelines.errors import GenerationError
from pipelines.generation.cost import native_side
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax, caption_of
from pipelines.generation.settings import FULL_SIZE_SIDE, GenerationSettings, PresetName
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import write_whole
from studio.errors import ConfigError
from studio.inference_search.attempts import Attempt, ranked
from studio.inference_search.search import SearchName, search
from studio.inference_search.space import Candidate, SearchSpace
from studio.library.model_reference import open_model, run_config_of
from studio.runs.config_file import preset

from .evaluator import DrawnPicture, encoded, scored_short
from .open_scorer import open_scorer, unpark_beside

#: Draws one picture alone.
DrawPicture = Callable[[PictureRequest, GenerationSettings], Image.Image]
MOST_PICTURES = 1000  # all of them are kept until the last: at 1024 pixels 3 MB each


@dataclass(frozen=True)
class PictureWish:
    """What somebody wants a picture of, and how long to think about it.

    Attributes:
        prompt: what the picture is scored by, and drawn from unless a wording takes its place.
        budget: pictures to draw, one at least.
        search: which search chooses them.
        settings: how the first one is drawn; the others are drawn alike but for what a search changes.
        language: of the prompt.
        wordings: other ways to say it, for the model alone.
        seed: of the first noise, and of the search.
        syntax: how prompts are read.
    """

    prompt: str
    budget: int
    search: SearchName
    settings: GenerationSettings
    language: Language
    wordings: tuple[str, ...] = ()
    seed: int = 0
    syntax: PromptSyntax = PLAIN

    def request(self, candidate: Candidate) -> PictureRequest:
        """Return what is asked of a pipeline for a candidate."""
        return PictureRequest(candidate.prompt, candidate.seed, self.syntax)

    def settings_of(self, candidate: Candidate) -> GenerationSettings:
        """Return how a candidate is drawn: alone, so that its last bit depends on no other picture."""
        changes = {"guidance": candidate.guidance, "steps": candidate.steps, "batch": 1}
        return self.settings.model_copy(update=changes)


@dataclass(frozen=True)
class SearchedPicture:
    """An attempt with its picture; `None` where none came of it, and why: it is worth nothing then."""

    attempt: Attempt
    image: Image.Image | None
    problem: str | None = None


@dataclass
class _Drawing:
    """The pictures of a search so far, by the numbers of their attempts."""

    wish: PictureWish
    draw: DrawPicture
    scorer: Scorer
    images: list[Image.Image | None] = field(default_factory=list)
    problems: list[str | None] = field(default_factory=list)

    def reward(self, candidate: Candidate) -> float:
        """Draw and score a candidate by the prompt as it was asked for, float in 0..1."""
        try:
            image = self.draw(self.wish.request(candidate), self.wish.settings_of(candidate))
        except GenerationError as error:
            if not self.images:
                raise  # what was asked for cannot be drawn, so that something else is wrong
            self._keep(None, str(error))
            return 0.0
        with self.scorer.on_device():
            score = self.scorer.score([image], [caption_of(self.wish.prompt, self.wish.syntax)])[0]
        self._keep(image, None)
        return float(score)

    def _keep(self, image: Image.Image | None, problem: str | None) -> None:
        self.images.append(image)
        self.problems.append(problem)


def search_picture(
    wish: PictureWish,
    draw: DrawPicture,
    scorer: Scorer,
    *,
    on_attempt: Callable[[Sequence[Attempt]], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> list[SearchedPicture]:
    """Draw pictures of a prompt until the budget is spent, and return them with the best first.

    A candidate of which no picture comes, such as a black one, is worth 0; its picture is `None`.

    Args:
        wish: of what, how, and how many.
        draw: draws one picture.
        scorer: whose score of picture and prompt is searched for.
        on_attempt: told all attempts after each of them.
        is_stopped: asked between two pictures; what is drawn by then is returned.

    Raises:
        GenerationError: the very first picture could not be made.
        M2N2Error: as `draw` and `scorer` do.
    """
    space = SearchSpace.around(wish.settings, wish.prompt, wish.wordings, seed=wish.seed)
    drawing = _Drawing(wish, draw, scorer)
    made = search(wish.search, space, drawing.reward, wish.budget, on_attempt=on_attempt, is_stopped=is_stopped)
    return [SearchedPicture(one, drawing.images[one.number], drawing.problems[one.number]) for one in ranked(made)]


@dataclass(frozen=True)
class PictureSearch:
    """A search that has ended.

    Attributes:
        recipe: who drew.
        wish: what was wanted.
        scorer: the identity of who scored.
        found: all pictures, the best first.
        truncated: the prompt, where the scorer reads only its beginning.
    """

    recipe: Recipe
    wish: PictureWish
    scorer: dict[str, Any]
    found: Sequence[SearchedPicture]
    truncated: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return all of it but the pictures, in the order of their scores; `file` is where each is written."""
        wish = self.wish
        return {
            "format": "m2n2-drawing",
            "version": 1,
            "model": self.recipe.name,
            "recipe": self.recipe.digest,
            "prompt": wish.prompt,
            "language": wish.language,
            **({} if wish.syntax == PLAIN else {"prompt_syntax": wish.syntax}),
            "search": wish.search,
            "budget": wish.budget,
            "seed": wish.seed,
            "pictures": wish.settings.portable.model_dump(),
            "scorer": {**self.scorer, "name": names.portable(self.scorer["name"])},
            "truncated": list(self.truncated),
            "tried": [self._row(place, one) for place, one in enumerate(self.found, start=1)],
        }

    def write(self, folder: Path) -> None:
        """Write the pictures, `001.png` the best of them, and at last what is said of them, `tried.json`.

        Args:
            folder: a new or an empty one.
        """
        for place, one in enumerate(self.found, start=1):
            if one.image is not None:
                wish, candidate = self.wish, one.attempt.candidate
                drawn = DrawnPicture(one.image, wish.prompt, wish.language, place, wish.request(candidate))
                png = encoded(drawn, recipe=self.recipe, settings=wish.settings_of(candidate)).png
                write_whole(folder / _file(place), png)
        content = json.dumps(self.as_json(), ensure_ascii=False, indent=2)
        write_whole(folder / "tried.json", f"{content}\n".encode())

    def _row(self, place: int, one: SearchedPicture) -> dict[str, Any]:
        attempt = one.attempt
        return {
            "file": _file(place) if one.image is not None else None,
            "score": attempt.reward,
            "number": attempt.number,
            "parent": attempt.parent,
            "seed": attempt.candidate.seed,
            "guidance": attempt.candidate.guidance,
            "steps": attempt.candidate.steps,
            "prompt": attempt.candidate.prompt,
            **({"problem": one.problem} if one.problem else {}),
        }


def _file(place: int) -> str:
    return f"{place:03}.png"


def search_model(
    model: str,
    prompt: str,
    *,
    budget: int,
    search: SearchName,
    language: Language | None = None,
    wordings: Sequence[str] = (),
    scorer: str | None = None,
    pictures: PresetName = "standard",
    syntax: PromptSyntax | None = None,
    seed: int = 0,
    on_attempt: Callable[[Sequence[Attempt]], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> PictureSearch:
    """Open a model and a scorer, and search for the model's best picture of a prompt.

    Args:
        model: a diffusers folder, a recipe file, or RUN:INDIVIDUAL.
        prompt: what to draw.
        budget: pictures to draw, one at least.
        search: which search chooses them.
        language: of the prompt; as its letters say if left out.
        wordings: other ways to say it, for the model alone.
        scorer: an open_clip model; if left out the one of the run whose individual the model is, else the embedded
            judge for small models and the recommended one for SDXL.
        pictures: how to draw, as a preset for the model.
        syntax: how prompts are read; if left out as the run reads them whose individual it is, else plain.
        seed: of the first noise, and of the search.
        on_attempt: see `search_picture`.
        is_stopped: see `search_picture`.

    Raises:
        ConfigError: the prompt or a wording is blank.
        M2N2Error: model or scorer cannot be opened; see also `search_picture`.
    """
    if not all(text.strip() for text in (prompt, *wordings)):
        raise ConfigError("A prompt is blank. Expected what to draw in words, such as --prompt 金継ぎの茶碗.")
    recipe, sources = open_model(model)
    drawn_by, config = sources[recipe.lender("unet")], run_config_of(model)
    usual = SCORER if native_side(drawn_by) >= FULL_SIZE_SIDE else names.of_folder(assets.JUDGE)
    opened = open_scorer(scorer or (config.scorer if config else usual))
    wish = PictureWish(
        prompt,
        budget,
        search,
        preset(pictures, drawn_by),
        language or written_language(prompt),
        tuple(wordings),
        seed,
        syntax or (config.prompt_syntax if config else PLAIN),
    )
    pipeline = LivePipeline(
        recipe, sources, settings=wish.settings.model_copy(update={"batch": 1}), scorer=opened.weights_bytes
    )
    unpark_beside(opened, pipeline)
    found = search_picture(
        wish,
        lambda request, settings: pipeline.generate([request], settings)[0],
        opened,
        on_attempt=on_attempt,
        is_stopped=is_stopped,
    )
    return PictureSearch(recipe, wish, opened.identity, found, scored_short(opened.truncated, [prompt], wish.syntax))
