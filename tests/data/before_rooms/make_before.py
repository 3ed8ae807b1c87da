"""Make this data: what the code of commit 2c27315 writes and says, for later code to open, resume, verify and repeat.

    git worktree add OLD 2c27315 && cd OLD
    OMP_NUM_THREADS=1 PYTHONPATH=. python .../tests/data/before_rooms/make_before.py OUT

It runs on that commit alone; two minutes on two cores. The folder that this file lies in is the outcome, beside four
scripts: `before` is the test's too, `writing` and `commands` are used here alone. Nothing in it may be formatted anew:
`any/score.py` and `inputs/` are known by their bytes. Changed since, by hand: brackets too many in the usage of
`m2n2 evolve`; cards and notices that say what licences permit, and recipes in exports that name no folder.

    run/            a run of the embedded family, stopped after 2 of 6 offspring, with votes.jsonl and marks.jsonl
    finished/       the same, resumed to its end; without pictures
    steered/        a run that votes and reference pictures steer and that began with that archive, stopped
    any/            a run over tiny networks of another kind, stopped, and what it works on
    exports/        an export's certificate and recipe, its monitor's journal, the choice of it, the recipe-only export
    inputs/         inputs that a person wrote: captions, a recipe without hashes; sources.yaml of the studio
    *_finished.json what this code got when it resumed each of the three runs to its end; see `before.archive`
    votes.json      what this code says of votes and marks
    export.json     card, licences, hashes of all of it as folder, file and recipe, what verify and monitor said of it
    commands.json   commands with exit code, stdout and stderr, in groups that each begin with the data laid out anew
    outputs.json    hashes of what the commands of a group wrote
    png_text.json   what pictures say of how they were made
    computed_on.json
"""

import contextlib
import hashlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from before import archive, computed_on, filled, go_wrong, hashes, lay_out, said, steady, take
from commands import GROUPS
from PIL import Image
from studio.anynet import config as any_config
from studio.anynet import run as any_run
from studio.drift import drift
from studio.measure import journal
from studio.package import ENDING, Package
from studio.process import ask_to_stop
from studio.ship import prepare
from studio.store import open_run
from studio.ui.downloads import sheet_files
from studio.ui.grid import draw, look
from studio.ui.shared import Studio
from studio.verify import verify, verify_hashes
from writing import judge, make_any, make_run, stop_after, write_inputs

import studio
from studio import cli, exports, marks, monitor, pairs, run, standing, votes
from studio.ui.compare import compared

ROOT = tempfile.TemporaryDirectory()
KEPT = ("0001", "0002")  # whose pictures go along


def resumed(out, name, open_one, carry_out):
    """What a stopped run becomes when it is resumed, twice, to the same; and a folder with one of the two."""
    found = []
    for _ in range(2):
        place = folder()
        lay_out(place, name.split("/")[0], data=out)
        store = open_one(place / name)
        carry_out(store)
        found.append(archive(store, place))
        store.close()
    assert found[0] == found[1], name
    return found[0], place


def make_runs(work, out):
    """All runs; each is resumed twice, and those that can be are compared with an uninterrupted one."""
    store = make_run(work, "run")
    run.carry_out(store, stop_after(2))
    judge(store)
    take(work, "run", out, leave={one.id for one in store.individuals()} - {*KEPT})
    found, place = resumed(out, "run", open_run, run.carry_out)
    whole = make_run(work, "whole")
    run.carry_out(whole)
    assert found == archive(whole, work)
    put(out / "run_finished.json", found)
    (place / "run").rename(place / "finished")
    drawn = said_by(place / "finished" / "images" / "0003" / first_picture(whole))
    take(place, "finished", out, leave=("images", "report", "votes.jsonl", "marks.jsonl"))

    groups = {"cross_attention": ("*.attn2.*",)}
    store = make_run(
        work,
        "steered",
        votes=str(work / "run"),
        start=str(place / "finished"),
        compete=("ja", "en"),
        fitness={"text": 0.7, "image": 0.3},
        chromosomes=groups,
        frozen={"cross_attention": "ja"},
        noise_rotation=5,
        breeding={"guided": True, "split_points": 2, "beta": 2.0},
    )
    run.carry_out(store, stop_after(3))
    take(work, "steered", out, leave=("images",))
    put(out / "steered_finished.json", resumed(out, "steered", open_run, until_report)[0])

    make_any(work / "any")
    take(work, "any", out)
    found, _ = resumed(out, "any/run", any_run.open_any, any_run.carry_out)
    whole = any_run.create(work / "any" / "whole", any_config.load(work / "any" / "asked.yaml"))
    any_run.carry_out(whole)
    assert found == archive(whole, work)
    put(out / "any_finished.json", found)
    return drawn


def until_report(store):
    """Resume a run, and stop it before it draws anything that is only reported."""
    run.carry_out(store, lambda store: ask_to_stop(store) if store.get("status") == "reporting" else None)


def what_votes_say(out):
    """Rankings, agreement, niches and marks of the run that people judged."""
    place = folder()
    lay_out(place, "run", data=out)
    store = open_run(place / "run")
    given, marked = votes.read_votes(store.folder), marks.marks(store)
    return {
        "report": standing.report(given),
        "missing": votes.missing(given),
        "niches": {whose: len(some) for whose, some in votes.niches(given).items()},
        "steering": votes.steering_runs(place),
        "judged": [one.id for one in pairs.judged(store)],
        "marks": {
            one.id: vars(marked[one.recipe.digest]) for one in store.individuals() if one.recipe.digest in marked
        },
    }


def make_exports(work, out):
    """An individual as folder, file and recipe, verified and monitored; what is known of the three."""
    lay_out(work, "run", data=out)
    store, place = open_run(work / "run"), work / "exports"
    for name in ("momiji", "momiji.safetensors"):
        shipped = prepare(store, "0001", place / name).send()
    package = Package(prepare(store, "0001", place / "momiji"), place / f"momiji{ENDING}")
    package.send()
    with zipfile.ZipFile(package.target) as packed:
        packed.extract("hashes.json", place)
        inside = {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()}
    exports.use(place, "momiji.safetensors", "Aya")
    exports.use(place, "momiji")
    export = exports.open_export(place / "momiji")
    monitor.set_schedule(export, "weekly")
    monitor.carry_out(export)
    found = {
        "card": (export.path / "README.md").read_text("utf-8"),
        "notice": (export.path / "LICENSE.md").read_text("utf-8"),
        "folder": hashes(export.path, work),
        "single_file": hashes(place / "momiji.about", work),
        "shipped": dict(shipped.hashes),
        "package": inside,
        "verify": verify(export).as_json(),
        "verify_hashes": verify_hashes(export, place / "hashes.json").as_json(),
        "monitor": steady(drift(export.birth, journal(export).events()).as_json()),
    }
    weights = ("*.safetensors", "momiji.about", "unet", "vae", "text_encoder*", "tokenizer*", "scheduler")
    take(work, "exports", out, leave=(*weights, "samples", "birth", "licences", "*.md", "status.json"))
    put(out / "export.json", found)


def command(args):
    """Run the command line in this process, as the tests do."""
    sys.argv, shown, error, code = ["m2n2", *args], io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(error):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(args, code, shown.getvalue(), error.getvalue())


def say_commands(out):
    """Give every command, and write what it said."""
    rows, outputs = [], {}
    for group, commands in GROUPS.items():
        place = folder()
        lay_out(place, data=out)
        if group == "refused":
            go_wrong(place)
        os.chdir(place)
        for args in commands:
            rows.append({"group": group, "args": args} | said(command([filled(one, place) for one in args]), place))
            print(rows[-1]["exit"], *args)
        if (place / "out").exists():
            outputs[group] = hashes(place / "out", place)
    (out / "commands.json").write_text("[\n" + ",\n".join(map(to_json, rows)) + "\n]\n", "utf-8")
    put(out / "outputs.json", outputs)


def what_pictures_say(out):
    """The text of a picture that the run kept, and of a contact sheet with others that the Compare page drew."""
    place = folder()
    lay_out(place, "run", data=out)
    desk = Studio(place)
    with desk.run("run") as store:
        picture, known = first_picture(store), store.config.niches().ids[:1]
    grid = compared(desk, "en", "run", ["0001", "ja"], known, "犬と猫", "a dog and a cat", 1, "run")
    draw(desk, grid)
    sheet = sheet_files(desk, "en", "run", look(desk, grid.rows, grid.asked)).png
    return {"kept": said_by(place / "run" / "images" / "0001" / picture), "sheet": said_by(sheet)}


def first_picture(store):
    return f"{store.config.niches().ids[0]}-ja-0.png"


def said_by(picture):
    with Image.open(picture) as opened:
        return {key: json.loads(text) for key, text in opened.text.items()}


def to_json(content):
    return json.dumps(content, ensure_ascii=False)


def put(file, content):
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def folder():
    return Path(tempfile.mkdtemp(dir=ROOT.name)).resolve()


def main(out):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert commit.startswith("2c27315"), commit
    assert Path(studio.__file__).is_relative_to(Path.cwd()), studio.__file__
    os.environ |= {"M2N2_CACHE": f"{ROOT.name}/cache", "COLUMNS": "200"}
    torch.set_num_threads(1)
    logging.getLogger().addHandler(logging.NullHandler())
    work = folder()
    out.mkdir(parents=True)
    drawn = make_runs(work, out)
    put(out / "votes.json", what_votes_say(out))
    write_inputs(work / "inputs", sorted((out / "run" / "images" / "0001").iterdir()))
    take(work, "inputs", out)
    make_exports(folder(), out)
    put(out / "png_text.json", what_pictures_say(out) | {"resumed": drawn})
    say_commands(out)
    put(out / "computed_on.json", computed_on())


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
