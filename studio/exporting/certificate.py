"""The birth certificate of an export, `birth.json`: what was measured of it, how, and the hashes of its files.

It holds all that it takes to measure the export again, years later and without the run: captions, noise, settings, the
scorer's identity. Small copies of the pictures it was judged by lie beside it in `birth/`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from eval.prompts.prompt_set import PromptSet
from eval.scorers import names
from pipelines.errors import ExportError, Phrase, unreadable
from pipelines.exporting.places import note_place, noted_place
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.statement import LicenceStatement
from pipelines.storage.pictures import open_picture
from pipelines.untrusted import UnreadableDocument, read_bytes
from studio.environment import current_environment
from studio.runs.individual import KINDS, Individual
from studio.runs.store import RunStore, now

CERTIFICATE_FILE = "birth.json"
PICTURES_FOLDER = "birth"  # folder of the pictures beside it
PICTURE_SIDE = 256  # pixels of a side; smaller ones are kept as they are
FORMAT: Literal["m2n2-birth"] = "m2n2-birth"

ScoreLists = dict[str, list[list[float]]]


class BirthCertificate(BaseModel):
    """What was measured when an individual was exported.

    Attributes:
        run: the run's name.
        individual: its id there.
        born: when it was bred and scored.
        exported: when it was written.
        prompts: the captions it was scored on; its niches.
        noises: pictures per caption.
        rotation: which noises; see `Noise`.
        settings: how pictures were drawn.
        prompt_syntax: how captions were read; not in the file where they are plain.
        scorer: what the scores depend on beside pictures and captions; see `Scorer.identity`.
        scores: per kind, a row per prompt with a number per noise. Empty where a measurement of the export could not
            be compared with the run's: its fitness looked at reference pictures, which do not go along, the noise has
            changed since it was scored, or the weights are rounded otherwise. The first measurement stands in then.
        environment: versions and device when it was exported.
        files: SHA-256 of the export's files, by their place in it.
        licence_statement: why its weights were written although licences stood against it, if they did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["m2n2-birth"] = FORMAT
    version: Literal[1] = 1
    run: str
    individual: str
    born: datetime
    exported: datetime
    prompts: PromptSet
    noises: int
    rotation: int
    settings: GenerationSettings
    scorer: dict[str, Any]
    scores: ScoreLists
    environment: dict[str, str]
    files: dict[str, str] = {}
    licence_statement: LicenceStatement | None = None
    prompt_syntax: PromptSyntax = PLAIN

    @property
    def portable(self) -> BirthCertificate:
        """The certificate without the folders of this machine."""
        scorer = {**self.scorer, "name": names.portable(str(self.scorer["name"]))}
        return self.model_copy(update={"scorer": scorer, "settings": self.settings.portable})

    def to_json(self) -> bytes:
        """The file's content; floats are written so that they read back to the same bits."""
        left_out = {"licence_statement"} if self.licence_statement is None else set()
        left_out |= {"prompt_syntax"} if self.prompt_syntax == PLAIN else set()
        return (
            json.dumps(self.model_dump(mode="json", exclude=left_out), ensure_ascii=False, indent=1) + "\n"
        ).encode()

    def note_places(self) -> None:
        """Note where this machine keeps what the portable certificate names without a folder."""
        places = {"scorer": str(self.scorer["name"]), "speed_lora": self.settings.speed_lora}
        note_place(self._place_key, {name: place for name, place in places.items() if place})

    def with_noted_places(self) -> BirthCertificate:
        """The certificate with the folders of this machine, where it was made here."""
        noted = noted_place(self._place_key)
        scorer, lora = noted.get("scorer"), noted.get("speed_lora")
        changes: dict[str, Any] = {}
        if scorer and names.portable(scorer) == self.scorer["name"]:
            changes["scorer"] = {**self.scorer, "name": scorer}
        if lora and Path(lora).name == self.settings.speed_lora:
            changes["settings"] = self.settings.model_copy(update={"speed_lora": lora})
        return self.model_copy(update=changes)

    @property
    def _place_key(self) -> str:
        return hashlib.sha256(f"{self.run}\n{self.individual}\n{self.exported.isoformat()}".encode()).hexdigest()


def certificate_of(store: RunStore, individual: Individual, *, as_drawn: bool = True) -> BirthCertificate:
    """Certify an individual that is about to be exported, without the hashes of its files.

    Args:
        store: its run.
        individual: who is exported.
        as_drawn: whether it is exported in the precision that the run drew it in.
    """
    prompts = store.prompts.niches
    captions = tuple(prompt.model_copy(update={"reference": None}) for prompt in prompts.prompts)
    comparable = (
        as_drawn and set(store.config.fitness) == {"text"} and (individual.alive or not store.config.noise_rotation)
    )
    scores = {kind: individual.scores[kind].tolist() for kind in KINDS if kind in individual.scores}
    return BirthCertificate(
        run=store.name,
        individual=individual.id,
        born=individual.born.replace(tzinfo=UTC),  # the database keeps no time zone
        exported=now(),
        prompts=prompts.model_copy(update={"prompts": captions}),
        noises=store.config.noises,
        rotation=store.state.rotation,
        settings=store.config.pictures,
        prompt_syntax=store.config.prompt_syntax,
        scorer=store.state.scorer or {"name": store.config.scorer},
        scores=scores if comparable else {},
        environment=current_environment(),
    )


def certificate_pictures(files: Iterable[Path]) -> dict[str, bytes]:
    """Make small copies of the pictures of the first noise, by the place that a certificate has them at."""
    copies = {}
    for file in files:
        if file.stem.endswith("-0"):
            with open_picture(file) as picture:
                copies[f"{PICTURES_FOLDER}/{file.stem.removesuffix('-0')}.webp"] = small_webp(picture)
    return copies


def small_webp(picture: Image.Image) -> bytes:
    """Encode a picture as WebP, at most 256 pixels a side; a picture that is no larger is kept without loss."""
    tiny = max(picture.size) <= PICTURE_SIDE
    copy = picture.convert("RGB")
    copy.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    buffer = io.BytesIO()
    copy.save(buffer, "WEBP", lossless=tiny, quality=100 if tiny else 85)
    return buffer.getvalue()


def load_certificate(path: Path) -> BirthCertificate:
    """Read a certificate.

    Raises:
        ExportError: no such file, or another format; says what can be done without it.
    """
    try:
        return BirthCertificate.model_validate_json(read_bytes(path))
    except (OSError, UnreadableDocument, ValidationError) as error:
        problem = Phrase("there is none") if isinstance(error, FileNotFoundError) else unreadable(error)
        if isinstance(error, ValidationError):
            problem = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in error.errors()[:3])
        raise ExportError(
            "{path} cannot be read ({problem}). Expected the birth certificate that the studio writes with an "
            "individual; export it again from its run, or compare its weights with its recipe: m2n2 verify.",
            path=path,
            problem=problem,
        ) from error


def score_arrays(scores: Mapping[str, list[list[float]]]) -> dict[str, np.ndarray]:
    """Convert scores by kind to float64 [prompts, noises]."""
    return {kind: np.array(rows, dtype=np.float64) for kind, rows in scores.items()}
