"""What the script that made this data and the test that reads it share: places, and what must stay the same.

Files here name places by placeholders: `{assets}` is the folder of the family that was embedded then, `{work}` the
folder that the data is laid out in. They stand in run.yaml, prompts.yaml and held_out.yaml of every run, in the
recipes (table `individuals`, column `recipe`) and the state (table `state`, column `value`) of every run.db, in
start/*.json, recipe.json, birth.json, inputs/, and in what commands said. `lay_out` fills them in.
"""

import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).resolve().parent
FORMER = DATA.with_name("former_family")
FOLDERS = ("run", "finished", "steered", "any", "exports", "inputs")
TEXTS = (".yaml", ".json", ".jsonl")
PACKAGES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "pillow")
# What is another one each time, by its key: times, how long something takes, what a machine has and what of it is free,
# where an export was measured and how often.
CHANGING = {"when", "available", "reading_seconds", "room", "seconds", "environment", "repeats"}
PROGRAM = re.compile(r"python -m \w+\.m2n2")  # what typer calls it where pytest runs it
BOX = dict.fromkeys(map(ord, "╭╮╰╯│─"), " ")


def computed_on():
    """What the last bits of scores depend on; the processor as /proc/cpuinfo has it."""
    file = Path("/proc/cpuinfo")
    facts = dict(re.findall(r"^(\S[^\t:]*?)\s*: (.*)$", file.read_text("utf-8"), re.M)) if file.is_file() else {}
    return {
        "processor": [facts.get(key) for key in ("vendor_id", "cpu family", "model", "model name", "stepping")],
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        **{package: version(package) for package in PACKAGES},
    }


def _placed(text, work, *, back):
    for name, place in (("{work}", str(work)), ("{assets}", str(FORMER))):
        text = text.replace(place, name) if back else text.replace(name, place)
    return text


def neutral(text, work):
    """Text with placeholders for places."""
    return _placed(text, work, back=True)


def filled(text, work):
    """Text with places for placeholders."""
    return _placed(text, work, back=False)


def _place_all(folder, work, *, back):
    for file in sorted(folder.rglob("*")):
        if file.suffix in TEXTS:
            file.write_text(_placed(file.read_text("utf-8"), work, back=back), "utf-8")
        elif file.name == "run.db":
            with sqlite3.connect(file) as database:
                for table, key, column in (("individuals", "number", "recipe"), ("state", "key", "value")):
                    rows = database.execute(f"SELECT {key}, {column} FROM {table}").fetchall()
                    changed = [(_placed(text, work, back=back), key) for key, text in rows]
                    database.executemany(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", changed)
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.close()


def lay_out(work, *names, data=DATA):
    """Copy folders of the data, all of them if none is named, to where they may be written to; fill in their places."""
    for name in names or FOLDERS:
        shutil.copytree(data / name, work / name)
        _place_all(work / name, work, back=False)


def take(work, name, target, *, leave=()):
    """Copy a folder of runs or documents into the data, as one file a database, with placeholders for places."""
    drop = shutil.ignore_patterns("*.lock", "*.log", "run.db-*", "__pycache__", *leave)
    for file in (work / name).rglob("run.db"):
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
    shutil.copytree(work / name, target / name, ignore=drop)
    _place_all(target / name, work, back=True)


def go_wrong(work):
    """Make what commands refuse of the runs that are laid out: `{work}/wrong`."""
    wrong = work / "wrong"
    for name in ("newer", "damaged", "votes"):
        shutil.copytree(work / "run", wrong / name, ignore=shutil.ignore_patterns("images"))
    with sqlite3.connect(wrong / "newer" / "run.db") as database:
        database.execute("UPDATE state SET value = '2' WHERE key = 'schema'")
    database.close()
    (wrong / "damaged" / "run.db").write_bytes(b"no database" * 1000)
    with open(wrong / "votes" / "votes.jsonl", "a", encoding="utf-8") as journal:
        journal.write('{"version":2}\n')
    (wrong / "key.yaml").write_text((work / "run" / "run.yaml").read_text("utf-8") + "colour: red\n", "utf-8")
    (wrong / "recipe.json").write_text('{"format": "m2n2-recipe", "version": 2}')


def archive(store, work):
    """What of a run must not depend on who carries it out: individuals, bytes of scores, state, report."""
    everyone = [
        {
            "id": one.id,
            "mother": one.mother,
            "father": one.father,
            "recipe": digest(json.loads(neutral(one.recipe.to_json(), work))),
            "entered": one.entered,
            "alive": one.alive,
            "error": one.error,
            "scores": {kind: values.tobytes().hex() for kind, values in sorted(one.scores.items())},
        }
        for one in store.individuals()
    ]
    keys = ("search", "rotation", "child", "results", "as_shipped", "comparisons", "realism", "failed_rows", "items")
    with contextlib.closing(sqlite3.connect(store.folder / "run.db")) as database:
        kept = dict(database.execute("SELECT key, value FROM state"))
    return {"individuals": everyone, "state": {key: json.loads(kept.get(key, "null")) for key in keys}}


def read_scores(found):
    """The same with scores as numbers."""
    everyone = [
        {
            **one,
            "scores": {
                kind: np.frombuffer(bytes.fromhex(text), "<f8").tolist() for kind, text in one["scores"].items()
            },
        }
        for one in found["individuals"]
    ]
    return {**found, "individuals": everyone}


def said(done, work):
    """What a command said: exit code, stdout, as JSON where it is, stderr as words; without places and what changes."""
    out, error = (neutral(text, work) for text in (done.stdout, done.stderr))
    try:
        content = {"stdout_json": steady(json.loads(out))}
    except ValueError:
        content = {"stdout": out}
    return {"exit": done.returncode, **content, "stderr": PROGRAM.sub("m2n2", " ".join(error.translate(BOX).split()))}


def steady(content):
    """JSON in which null stands for what is another one each time, and its hash for a recipe."""
    if isinstance(content, dict):
        short = {key: digest(value) for key, value in content.items() if key == "recipe" and isinstance(value, dict)}
        return {key: None if key in CHANGING else steady(value) for key, value in (content | short).items()}
    return [steady(value) for value in content] if isinstance(content, list) else content


def digest(recipe):
    """SHA-256 of a recipe as JSON: `exactly`, and `nearly`, which the last bits of its weights do not change."""
    return {name: _sha256(json.dumps(one)) for name, one in (("exactly", recipe), ("nearly", _rounded(recipe)))}


def _sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def _rounded(content):
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return round(content, 6) + 0.0 if isinstance(content, float) else content


def hashes(folder, work):
    """SHA-256 of the files in a folder, by their place in it; of texts with placeholders for places.

    Birth certificates are left out, for they hold times, and manifests, for they hold the hashes of those.
    """
    found = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name not in ("birth.json", "SHA256SUMS"):
            content = file.read_bytes()
            if file.suffix in TEXTS:
                content = neutral(content.decode(), work).encode()
            found[file.relative_to(folder).as_posix()] = hashlib.sha256(content).hexdigest()
    return found
