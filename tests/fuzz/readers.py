"""Every reader of outside data, with the inputs it is given; its promise: a value, or an error of the house."""

import io
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from eval.prompts.editing import read_rows
from eval.prompts.prompt_set import load_prompts
from eval.prompts.stair_captions import read_stair_captions
from eval.scorers.model_files import locate
from pipelines.adapters.reading import read_adapter
from pipelines.architectures.keys import natural_key, sort_key
from pipelines.checkpoints.folder_card import read_card, stated_licence
from pipelines.checkpoints.source_uri import absolute_uri, default_name, is_at_hand
from pipelines.recipes.recipe import load_recipe
from pipelines.storage.pictures import read_picture
from pipelines.storage.tensor_file import TensorFile
from studio.exporting.certificate import load_certificate
from studio.exporting.registry import Export, in_use, in_use_history
from studio.journal import Journal
from studio.judging.annotations import Mark
from studio.judging.assignments import ASSIGNMENT_FILE, read_assignment
from studio.judging.votes import VOTES_FILE, read_votes
from studio.library.source_library import added_sources, known_sources
from studio.monitoring.remeasure import journal
from studio.monitoring.scheduler import measurement_status
from studio.networks.config import load as load_any
from studio.png_metadata import generation_data
from studio.runs.config_file import load_config
from studio.ui.archive.picture_lookup import found_by_picture
from studio.ui.common.studio import Studio
from studio.ui.new_run.form_values import asked_form
from studio.ui.sources.adding import sources_in

from .folders import CELL, cell, configs, model, open_model, run, scorer
from .mutations import as_json, bent, json_files, torn, yaml_files
from .samples import (
    ANY,
    CAPTIONS,
    CARD,
    CERTIFICATE,
    DRAWN,
    HEADER,
    JUDGE,
    MARK,
    MEASURED,
    PROMPTS,
    RECIPE,
    RUN,
    SOURCES,
    STATUS,
    TABLE,
    VOTE,
)


@dataclass(frozen=True)
class Reader:
    """A reader: `inputs` makes what it is given, `read` reads it in a folder of its own, prepared by `prepare`."""

    name: str
    inputs: st.SearchStrategy[Any]
    read: Callable[[Path, Any], object]
    prepare: Callable[[Path], object] = lambda folder: None


def _file(name: str, read: Callable[[Path], object]) -> Callable[[Path, bytes], object]:
    def write_and_read(folder: Path, content: bytes) -> object:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return read(path)

    return write_and_read


def _lines(event: Any) -> st.SearchStrategy[bytes]:
    line = as_json(event)
    return st.lists(torn(line) | bent(event).map(as_json) | st.just(line), max_size=4).map(b"\n".join) | torn(line * 2)


def _safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(8)


_LORA = "lora_unet_down_blocks_0_attentions_0_proj_in"
_PARTS = st.sampled_from(
    [
        *("unet", "text_encoder", "lora_te1_", "lora_unet_", ".lora_A", ".lora_down", ".weight", ".alpha", "..", _LORA),
        *("base_model.model.", ".hada_w1", ".processor.", "to_out", "_lora", "9" * 5000, "²", "\0"),
    ]
)
KEYS = st.lists(_PARTS | st.text(max_size=3), min_size=1, max_size=6).map("".join)


def _adapter(folder: Path, given: tuple[list[str], list[int], bytes]) -> object:
    keys, shape, config = given
    places = {key: [8 * at, 8 * at + 8] for at, key in enumerate(dict.fromkeys(keys))}
    entries = {key: {"dtype": "F32", "shape": shape, "data_offsets": place} for key, place in places.items()}
    header = as_json({**entries, "__metadata__": {"lora_adapter_metadata": config.decode("utf-8", "replace")}})
    path = folder / "lora.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8 * len(entries)))
    return read_adapter(TensorFile(path), {"unet": {"down_blocks.0.attentions.0.proj_in.weight": (2, 2)}})


def _drawn(data: Any) -> bytes:
    info, buffer = PngInfo(), io.BytesIO()
    info.add_itxt("m2n2", json.dumps(data))
    Image.new("RGB", (4, 4)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


_PICTURE = _drawn(DRAWN)
_PIECES = [
    *(" ", " + ", " * ", "0.8", "owner/name", "@v1", "/x.safetensors", "1e", ".", "\0", "\ud800", "~", "~nobody", "\t"),
    *("+" * 99, " " * 9999, "9" * 9999),
]
_SOURCE = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=9).map("".join)
_QUERY = st.dictionaries(
    st.sampled_from(["fork", "sources", "prompts", "noises"]),
    _SOURCE | st.sampled_from(["3", "٣", "²", "1" * 5000, "-1"]),
)


def _placed(folder: Path, key: str) -> object:
    return natural_key(key), sort_key("unet", f"down_blocks.{key}"), sort_key("unet", key)


def _source_named(folder: Path, text: str) -> object:
    return absolute_uri(text, folder), default_name(text), is_at_hand(text)


def _captions(path: Path) -> object:
    return read_stair_captions(path, path.parent, path.parent, evolve=1, held_out=1, pairs=0)


def _monitored(read: Callable[[Export], object]) -> Callable[[Path], object]:
    return lambda path: read(Export(path.parents[1] / "x"))


def _checked(folder: Path, text: str) -> object:
    return Studio(folder / "runs").open_folders.source(text, folder)


def _events(export: Export) -> object:
    return journal(export).events()


def _scorer_named(folder: Path, name: str) -> object:
    return Studio(folder / "runs").open_folders.scorer(name)


def _data(folder: Path, content: bytes) -> object:
    return generation_data(io.BytesIO(content))


def _located(path: Path) -> object:
    return locate(f"local-dir:{path.parent}", weights=False)


def _found(path: Path) -> object:
    return found_by_picture(Studio(path.parent / "runs"), path)


HEADERS = (torn(as_json(HEADER)) | bent(HEADER).map(as_json)).map(_safetensors) | torn(_safetensors(as_json(HEADER)))
PEFT = json_files({"unet.lora_alpha": 3, "unet.rank_pattern": {"a": 1}})
QUESTION = {"first": "a", "second": "b", "prompt": "dog", "noise": 0}
ASSIGNMENT = {"version": 1, "time": "2026-01-02", "common": 1, "raters": {"Aya": [QUESTION]}}
CHOICE = {"export": "a", "former": None, "when": "2026-01-02", "who": ""}
SCORER = json.loads((JUDGE / "open_clip_config.json").read_text("utf-8"))
README = yaml_files(CARD).map(lambda text: b"---\n" + text + b"---\n# x\n") | torn(b"---\nlicense: mit\n---\n")

READERS = [
    Reader("prompt set", yaml_files(PROMPTS), _file("x.yaml", load_prompts)),
    Reader("table of prompts", torn(TABLE.encode()) | torn(TABLE.encode("utf-16")), _file("x.csv", read_rows)),
    Reader("table by tabs", torn(TABLE.replace(",", "\t").encode("cp932")), _file("x.tsv", read_rows)),
    Reader("captions", json_files(CAPTIONS), _file("x.json", _captions)),
    Reader("recipe", json_files(RECIPE), _file("x.json", load_recipe)),
    Reader("run file", yaml_files(RUN), _file("run.yaml", load_config)),
    Reader("run file of any network", yaml_files(ANY), _file("run.yaml", load_any)),
    Reader("dropped file", yaml_files(RUN) | json_files(RECIPE), _file("x.yaml", sources_in)),
    Reader("added sources", yaml_files(SOURCES), _file("sources.yaml", lambda path: added_sources(path.parent))),
    Reader("sources of a run", yaml_files(RUN), _file("runs/a/run.yaml", lambda path: known_sources(path.parents[1]))),
    Reader("journal", _lines(MARK), _file("marks.jsonl", lambda path: Journal(path, Mark).events())),
    Reader("votes", _lines(VOTE), _file(VOTES_FILE, lambda path: read_votes(path.parent))),
    Reader("assignment", json_files(ASSIGNMENT), _file(ASSIGNMENT_FILE, lambda path: read_assignment(path.parent))),
    Reader("measurements", _lines(MEASURED), _file("x.monitor/drift.jsonl", _monitored(_events))),
    Reader("status", json_files(STATUS), _file("x.monitor/status.json", _monitored(measurement_status))),
    Reader("export in use", torn(b"momiji\n"), _file("current", lambda path: in_use(path.parent))),
    Reader("choices of exports", _lines(CHOICE), _file("current.jsonl", lambda path: in_use_history(path.parent))),
    Reader("certificate", json_files(CERTIFICATE), _file("birth.json", load_certificate)),
    Reader("cells of run.db", CELL, cell, run),
    Reader("safetensors header", HEADERS, _file("x.safetensors", TensorFile)),
    Reader("keys of an adapter", st.tuples(st.lists(KEYS, max_size=4), st.just([2]), PEFT), _adapter),
    Reader("names of tensors", KEYS, _placed),
    Reader("configurations of a source", configs(), open_model, model),
    Reader("configuration of a scorer", json_files(SCORER), _file("open_clip_config.json", _located), scorer),
    Reader("model card", README, _file("README.md", lambda path: stated_licence(read_card(path.parent), {}))),
    Reader(
        "text of a PNG", torn(_PICTURE) | bent(DRAWN).map(_drawn), lambda _, text: generation_data(io.BytesIO(text))
    ),
    Reader("dropped picture", bent(DRAWN).map(_drawn), _file("x.png", _found)),
    Reader("picture", torn(_PICTURE), _file("x.png", read_picture)),
    Reader("text of a source", _SOURCE, _source_named),
    Reader("sources on a page", _SOURCE, _checked),
    Reader("scorer on a page", _SOURCE.map(lambda text: f"local-dir:{text}") | _SOURCE, _scorer_named),
    Reader("address of a page", _QUERY, lambda folder, query: asked_form(Studio(folder / "runs"), query)),
]
