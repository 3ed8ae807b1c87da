"""Ship: a merge with its card, its recipe, its licences and the pictures it was judged by, as a folder or a file.

NAME/                      a diffusers folder, with README.md, LICENSE.md, recipe.json, licences/ and samples/
NAME.safetensors           a single file, and beside it NAME.about/ with the same documents and `config/`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.prompts import Prompt
from pipelines.export import PRECISIONS, SINGLE_FILE, TENSOR_HASH, export_file, export_folder
from pipelines.metadata import header, source_date, thumbnail
from pipelines.plan import Plan
from pipelines.provenance import file_sha256, portable, used
from pipelines.recipe import Recipe
from pipelines.sources import Source, open_source
from pipelines.tensor_file import TensorFile

from .card import About, Drawing, Sample, Score, card, notice
from .console import scorer_label
from .evaluate import noise_seed
from .i18n import Lang
from .ledger import Inherited, inherited, joint_licence, licence_texts, warnings
from .models import open_recipe_sources
from .store import Individual, Kind, RunStore

SAMPLES = 3  # categories, each with a picture in either language
KINDS: tuple[Kind, ...] = ("ja", "en", "consistency")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shipped:
    """A finished export.

    Attributes:
        path: the folder or the file.
        size: bytes of it, without the documents beside it.
        hashes: SHA-256 by what was hashed: of a folder the tensors of its `unet`, of a single file its `tensors` and
            the whole `file`.
        inherited: whose weights are in it.
        recipe: the recipe without the paths of this machine.
    """

    path: Path
    size: int
    hashes: Mapping[str, str]
    inherited: list[Inherited]
    recipe: Recipe

    def warnings(self, lang: Lang) -> list[str]:
        """What should be read before it is published."""
        return warnings(self.inherited, lang)

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "sha256": dict(self.hashes),
            "licence": joint_licence(self.inherited),
            "warnings": self.warnings("en"),
        }


def ship(
    store: RunStore,
    id: str,
    target: str | Path,
    *,
    title: str | None = None,
    precision: str | None = None,
    progress: Progress | None = None,
) -> Shipped:
    """Write an individual of a run.

    Args:
        store: the run.
        id: the individual.
        target: a single file where it ends in `.safetensors`, else a diffusers folder; must not exist.
        title: what to call it; the target's name if left out.
        precision: `fp16`, `bf16` or `fp32`; that of the host's file if left out.
        progress: told (bytes written, bytes in all); raise in it to give up.

    Raises:
        M2N2Error: see `pipelines.export`; the sources are gone or changed.
    """
    individual = store.individual(id)
    sources = open_recipe_sources(individual.recipe)
    born = individual.born.replace(tzinfo=UTC)  # the database keeps no time zone
    about = About(
        title=title or _name(Path(target)),
        summary=f"A merge of {len(used(individual.recipe))} SDXL checkpoints, bred with M2N2 "
        f"(individual {individual.id} of run {store.name}).",
        languages=tuple(dict.fromkeys(["ja", "en", *_languages(individual.recipe, sources)])),  # it was judged in two
        scores=_scores(store, individual),
        samples=_samples(store, id),
        drawing=drawing(store),
    )
    return ship_merge(
        individual.recipe, sources, target, about=about, precision=precision, date=born, progress=progress
    )


def ship_recipe(
    recipe: Recipe,
    sources: Mapping[str, Source],
    target: str | Path,
    *,
    precision: str | None = None,
    progress: Progress | None = None,
) -> Shipped:
    """Write what a recipe describes, for which there is no run; the arguments are those of `ship`.

    Raises:
        M2N2Error: see `pipelines.export`; the sources do not fit the recipe.
    """
    names = used(recipe)
    about = About(
        title=_name(Path(target)),
        summary=f"A merge of {len(names)} SDXL checkpoints: {', '.join(names)}.",
        languages=_languages(recipe, sources),
    )
    return ship_merge(recipe, sources, target, about=about, precision=precision, date=source_date(), progress=progress)


def ship_merge(
    recipe: Recipe,
    sources: Mapping[str, Source],
    target: str | Path,
    *,
    about: About,
    precision: str | None = None,
    date: datetime | None = None,
    progress: Progress | None = None,
) -> Shipped:
    """Write a merge with all that is known about it; see `ship`.

    Args:
        recipe: what to build.
        sources: its opened sources.
        target: as for `ship`.
        about: what the card says.
        precision: as for `ship`.
        date: for a single file's header.
        progress: as for `ship`.
    """
    path = Path(target).expanduser()
    named = recipe.model_copy(update={"name": about.title})
    plan = Plan(named, sources, dtype=PRECISIONS[precision] if precision else None)
    entries = inherited(named, sources)
    hashes: dict[str, str] = {}

    def documents(checkpoint: Path) -> dict[str, bytes]:
        hashes.update(_hashes(checkpoint))
        return {
            "README.md": card(plan, about, entries, path.name, _labelled(hashes)).encode(),
            "LICENSE.md": notice(plan, about, entries).encode(),
            **licence_texts(entries),
            **{f"samples/{sample.name}": sample.content for sample in about.samples},
        }

    if path.suffix == SINGLE_FILE:
        metadata = header(
            plan,
            title=about.title,
            description=about.summary,
            licence=joint_licence(entries),
            tags=("merge", "m2n2"),
            date=date,
            thumbnail=thumbnail(about.samples[0].content) if about.samples else None,
        )
        export_file(plan, path, metadata=metadata, documents=documents, progress=progress)
    else:
        export_folder(plan, path, documents=documents, progress=progress)
    files = [path] if path.is_file() else path.rglob("*.safetensors")
    return Shipped(path, sum(file.stat().st_size for file in files), hashes, entries, portable(plan))


def _name(target: Path) -> str:
    return target.stem if target.suffix == SINGLE_FILE else target.name


def _hashes(checkpoint: Path) -> dict[str, str]:
    """What a finished checkpoint is known by; reads its bytes once more."""
    if checkpoint.is_dir():
        return {"unet": open_source(checkpoint).components["unet"].sha256}
    return {
        "tensors": TensorFile(checkpoint).metadata[TENSOR_HASH].removeprefix("0x"),
        "file": file_sha256(checkpoint),
    }


def _labelled(hashes: Mapping[str, str]) -> dict[str, str]:
    labels = {
        "unet": "the UNet's tensors, as a recipe names it",
        "tensors": "the tensors (`modelspec.hash_sha256`)",
        "file": "the file (A1111 and Civitai show its first ten digits)",
    }
    return {labels[what]: digest for what, digest in hashes.items()}


def _languages(recipe: Recipe, sources: Mapping[str, Source]) -> tuple[str, ...]:
    """The languages that the cards name, those of the text encoder's lender first."""
    names = [recipe.lender("text_encoder"), *used(recipe)]
    return tuple(dict.fromkeys(language for name in names for language in sources[name].languages))


def _scores(store: RunStore, individual: Individual) -> tuple[Score, ...]:
    """The scores it was bred by, and those on held-out captions where the report is about it."""
    scorer = scorer_label(store.config.scorer)
    niches = store.config.niches().name
    found = [
        Score(kind, mean, niches, "bred on", scorer) for kind in KINDS if (mean := individual.mean(kind)) is not None
    ]
    reporter: dict[str, Any] = store.get("reporter") or {}
    results: dict[str, Any] = store.get("results") or {}
    row = results.get("child" if store.get("child") == individual.id else individual.id, {})
    by = scorer_label(str(reporter.get("name", "")))
    found += [Score(kind, row[kind]["mean"], reporter["prompts"], "held out", by) for kind in KINDS if kind in row]
    return tuple(found)


def _samples(store: RunStore, id: str) -> tuple[Sample, ...]:
    """Pictures of the first captions of the categories, each in both languages."""
    firsts: dict[str, Prompt] = {}
    for prompt in store.config.niches().prompts:
        firsts.setdefault(prompt.category, prompt)
    found = []
    for prompt in firsts.values():
        for language, caption in (("ja", prompt.ja), ("en", prompt.en)):
            picture = store.image(id, prompt.id, language, 0)
            if caption and picture.is_file():
                found.append(Sample(picture.name, caption, picture.read_bytes()))
    return tuple(found[: 2 * SAMPLES])


def drawing(store: RunStore) -> Drawing:
    """The picture that the code on a card draws: the first caption, from the noise it was judged by."""
    first = store.config.niches().prompts[0]
    return Drawing(first.ja or first.en or "", noise_seed(first.id, 0), store.config.pictures)
