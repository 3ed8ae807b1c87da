"""What is known of a checkpoint beside its recipe, and what its card says of it: title, scores, pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eval.prompts.prompt_set import Prompt
from eval.scorers import names as naming
from pipelines.checkpoints.sources import Source
from pipelines.exporting.provenance import contributing_sources
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import Recipe
from studio.licences.inheritance import InheritedLicence, credit_lines
from studio.markdown import markdown_text
from studio.runs.individual import KINDS, Individual
from studio.runs.noise import Noise
from studio.runs.store import RunStore

SAMPLES = 3  # categories, each with a picture in either language


@dataclass(frozen=True)
class CardScore:
    """A mean score, 0 to 1, over a prompt set; `by` names the scorer that gave it."""

    kind: str  # "ja", "en" or "consistency"
    mean: float
    prompts: str
    split: str  # "bred on" or "held out"
    by: str


@dataclass(frozen=True)
class CardPicture:
    """A picture that lies beside the card, as the bytes of its file, and the caption it was drawn for."""

    name: str
    caption: str
    content: bytes


@dataclass(frozen=True)
class ExampleDrawing:
    """What the code on a card draws: a caption, a noise seed, the settings of the run, and how it reads captions."""

    caption: str
    seed: int
    settings: GenerationSettings
    syntax: PromptSyntax = PLAIN


@dataclass(frozen=True)
class CardContent:
    """What a card says of a checkpoint beside what its recipe says; `attribution` names the authors of its sources."""

    title: str
    summary: str
    languages: tuple[str, ...] = ()
    scores: tuple[CardScore, ...] = ()
    samples: tuple[CardPicture, ...] = ()
    drawing: ExampleDrawing | None = None
    attribution: str = ""


def individual_card_content(
    store: RunStore, individual: Individual, sources: Mapping[str, Source], title: str, attribution: str
) -> CardContent:
    """Describe an individual by what its run knows of it."""
    return CardContent(
        title=title,
        summary=f"A merge of {len(contributing_sources(individual.recipe))} SDXL checkpoints, bred with M2N2 "
        f"(individual {markdown_text(individual.id)} of run {markdown_text(store.name)}).{_accepted(store)}",
        languages=tuple(dict.fromkeys(["ja", "en", *_languages(individual.recipe, sources)])),  # it was judged in two
        scores=_scores(store, individual),
        samples=_samples(store, individual.id),
        drawing=example_drawing(store),
        attribution=attribution,
    )


def recipe_card_content(recipe: Recipe, sources: Mapping[str, Source], title: str, attribution: str) -> CardContent:
    """Describe a recipe for which there is no run."""
    names = contributing_sources(recipe)
    return CardContent(
        title=title,
        summary=f"A merge of {len(names)} SDXL checkpoints: {', '.join(map(markdown_text, names))}.",
        languages=_languages(recipe, sources),
        attribution=attribution,
    )


def attribution_text(entries: Iterable[InheritedLicence]) -> str:
    """Name whose work a merge is, a line for each source and LoRA, as most licences ask."""
    return "\n".join(f"- {line}" for line in credit_lines(entries))


def example_drawing(store: RunStore) -> ExampleDrawing:
    """Choose what the code on a card draws: the first caption, from the first noise it was last judged by."""
    first, noise = store.prompts.niches.prompts[0], Noise(store.config.noises, store.state.rotation)
    config, caption = store.config, first.ja or first.en or ""
    return ExampleDrawing(caption, noise.seed(first.id, 0), config.pictures, config.prompt_syntax)


def _accepted(store: RunStore) -> str:
    """Say with what the run went on though it had changed: who rebuilds the merge has to know."""
    return "".join(
        f" After {statement['after']} offspring the run went on though "
        f"{', '.join(sorted({str(one['kind']) for one in statement['differences']}))} had changed: "
        f"{markdown_text(statement['why'])}."
        for statement in store.state.accepted
    )


def _languages(recipe: Recipe, sources: Mapping[str, Source]) -> tuple[str, ...]:
    """Return the languages that the card names, those of the text encoder's lender first."""
    names = [recipe.lender("text_encoder"), *contributing_sources(recipe)]
    return tuple(dict.fromkeys(language for name in names for language in sources[name].languages))


def _scores(store: RunStore, individual: Individual) -> tuple[CardScore, ...]:
    """Read the scores an individual was bred by, and those on held-out captions where the report is about it."""
    scorer = naming.label(store.config.scorer)
    niches = store.prompts.niches.name
    scores = [
        CardScore(kind, mean, niches, "bred on", scorer)
        for kind in KINDS
        if (mean := individual.mean(kind)) is not None
    ]
    state = store.state
    reporter, results = state.reporter or {}, state.results or {}
    row = results.get("child" if state.child == individual.id else individual.id, {})
    by = naming.label(str(reporter.get("name", "")))
    scores += [CardScore(kind, row[kind]["mean"], reporter["prompts"], "held out", by) for kind in KINDS if kind in row]
    return tuple(scores)


def _samples(store: RunStore, id: str) -> tuple[CardPicture, ...]:
    """Read the pictures of the first caption of each category, in both languages."""
    firsts: dict[str, Prompt] = {}
    for prompt in store.prompts.niches.prompts:
        firsts.setdefault(prompt.category, prompt)
    samples = []
    for prompt in firsts.values():
        for language, caption in (("ja", prompt.ja), ("en", prompt.en)):
            picture = store.image(id, prompt.id, language, 0)
            if caption and picture.is_file():
                samples.append(CardPicture(picture.name, caption, picture.read_bytes()))
    return tuple(samples[: 2 * SAMPLES])
