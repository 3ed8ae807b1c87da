"""A run's settings from its YAML file, or from the embedded family, with changes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from eval.scorers import names
from pipelines.checkpoints.source_uri import absolute_uri, open_source_uri
from pipelines.errors import unreadable
from pipelines.generation.cost import native_side
from pipelines.generation.settings import FULL_SIZE_SIDE, GenerationSettings, PresetName, presets
from pipelines.recipes.lenders import placed_host
from pipelines.untrusted import UnreadableDocument, read_yaml
from studio.errors import ConfigError

from .config import EMBEDDED_PICTURES, RunConfig, checked, embedded

if TYPE_CHECKING:  # a run file is read without torch
    from pipelines.checkpoints.sources import Source


def configured(path: Path | None, changes: Mapping[str, Any], pictures: PresetName | None) -> RunConfig:
    """The embedded family, or a run file, with changes.

    Args:
        path: the run file; None for the embedded family.
        changes: values by field; `breeding.beta` is a field within another.
        pictures: a preset that is to draw.

    Raises:
        ConfigError: see `load_config`.
        SourceError: the source whose pictures a preset is for cannot be opened.
    """
    config = embedded() if path is None else load_config(path)
    if pictures:
        changes = {"pictures": preset(pictures, open_source_uri(config.sources[0])).model_dump(), **changes}
    return _placed_config(config.changed(changes), Path.cwd())


def read_settings(path: Path) -> dict[str, Any]:
    """Read a run's YAML as it is written, unchecked.

    Raises:
        ConfigError: no such file, not YAML, no settings.
    """
    try:
        content = read_yaml(path)
    except (OSError, UnreadableDocument) as error:
        raise ConfigError(
            "{path} cannot be read ({reason}). Expected a run's YAML; see `m2n2 evolve --help`.",
            path=path,
            reason=unreadable(error),
        ) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError("{path} holds no settings. Expected a run's YAML; see `m2n2 evolve --help`.", path=path)
    return content


def load_config(path: str | Path) -> RunConfig:
    """Read a run's YAML; relative paths in it are relative to the file.

    Raises:
        ConfigError: no such file, not YAML, an unknown key, a value that does not fit.
    """
    path = Path(path)
    content = read_settings(path)
    here = path.resolve().parent
    config = checked({**content, "pictures": _pictures(content, here)}, where=str(path))
    return _placed_config(config, here)


def _placed_config(config: RunConfig, here: Path) -> RunConfig:
    """Settings whose paths are whole; relative ones start from `here`."""
    return config.model_copy(
        update={
            "sources": tuple(absolute_uri(source, here) for source in config.sources),
            "host": placed_host(config.host, config.sources, here),
            "prompts": _placed(here, config.prompts),
            "held_out": _placed(here, config.held_out),
            "votes": config.votes and _placed(here, config.votes),
            "scorer": names.placed(config.scorer, here),
            "reporter": names.placed(config.reporter, here),
            "start": config.start and _placed(here, config.start),
            "pictures": _with_lora_at(here, config.pictures),
        }
    )


def _pictures(content: Mapping[str, Any], here: Path) -> Any:
    """The settings behind a preset's name, which depend on the model; `standard` where a run file names nothing."""
    named = content.get("pictures", "standard")
    sources = content.get("sources")
    if named not in get_args(PresetName) or not isinstance(sources, list) or not sources:
        return named  # settings, or what will be refused with a reason
    return preset(named, open_source_uri(str(sources[0]), relative_to=here))


def preset(name: PresetName, source: Source) -> GenerationSettings:
    """How pictures of a model are drawn for looking around, for runs, or to keep."""
    side = native_side(source)
    return EMBEDDED_PICTURES if name == "standard" and side < FULL_SIZE_SIDE else presets(side)[name]


def _with_lora_at(here: Path, pictures: GenerationSettings) -> GenerationSettings:
    """Settings whose LoRA, where it is a file and not on the hub, is found from anywhere."""
    if pictures.speed_lora is None or not (file := Path(_placed(here, pictures.speed_lora))).is_file():
        return pictures
    return pictures.model_copy(update={"speed_lora": str(file)})


def _placed(here: Path, path: str) -> str:
    return str(here / Path(os.path.expanduser(path)))
