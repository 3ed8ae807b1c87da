"""Readers of whole folders: of a source, of a scorer, of a run, of which one file or one cell is odd."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.generation.build import make_scheduler
from pipelines.generation.cost import native_side
from pipelines.recipes.mergeable import check_mergeable
from studio.runs.store import open_run

from .mutations import ODD, as_json, json_files, torn
from .samples import (
    BEFORE,
    CELLS,
    CONFIGS,
    JUDGE,
    RECIPE,
)


def model(folder: Path) -> None:
    """A folder of links to an embedded source, whose configurations may be replaced."""
    for path in (assets.FAMILY / "base").rglob("*"):
        target = folder / "base" / path.relative_to(assets.FAMILY / "base")
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)


@st.composite
def configs(draw: st.DrawFn) -> tuple[str, bytes]:
    name = draw(st.sampled_from(CONFIGS))
    content = json.loads((assets.FAMILY / "base" / name).read_text("utf-8"))
    return name, draw(json_files(content))


def open_model(folder: Path, given: tuple[str, bytes]) -> object:
    name, content = given
    path = folder / "base" / name
    whole = assets.FAMILY / "base" / name
    path.unlink()
    try:
        path.write_bytes(content)
        source = open_source(folder / "base")
        check_mergeable([source])
        make_scheduler(source)
        return native_side(source), source.licence, source.languages, source.architecture
    finally:
        path.unlink()
        path.symlink_to(whole)


def scorer(folder: Path) -> None:
    for path in JUDGE.iterdir():
        if path.is_file() and path.name != "open_clip_config.json":
            (folder / path.name).symlink_to(path)


def run(folder: Path) -> None:
    """A finished run of an older version."""
    shutil.copytree(BEFORE / "finished", folder / "whole")
    for file in (folder / "whole").glob("*.yaml"):
        text = file.read_text("utf-8").replace("{assets}", str(assets.FAMILY.parent)).replace("{work}", str(folder))
        file.write_text(text, "utf-8")


CELL = st.tuples(
    st.sampled_from(CELLS),
    st.integers(0, 9),
    st.one_of(
        *(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.binary(max_size=20), ODD.map(json.dumps)),
        st.text(st.characters(codec="utf-8"), max_size=9),
        torn(as_json(RECIPE)).map(lambda content: content.decode("utf-8", "replace")),
    ),
)


def cell(folder: Path, given: tuple[tuple[str, str], int, Any]) -> object:
    (table, column), row, value = given
    shutil.rmtree(folder / "bent", ignore_errors=True)
    shutil.copytree(folder / "whole", folder / "bent")
    with closing(sqlite3.connect(folder / "bent" / "run.db")) as database, database:
        tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
        assert table in tables, tables
        try:
            database.execute(
                f'update {table} set "{column}" = ? where rowid in (select rowid from {table} limit 1 offset {row})',
                [value],
            )
        except sqlite3.IntegrityError:
            return None
    store = open_run(folder / "bent")
    try:
        return store.state, store.individuals(), store.pace(3), store.sources(), store.config
    finally:
        store.close()
