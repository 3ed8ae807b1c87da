"""Writing with the code of commit 2c27315 what a person would have in the end: runs, votes, marks, inputs."""

import json
import random
import shutil

import torch
from pipelines.sources import open_source
from safetensors.torch import save_file
from studio.anynet import config as any_config
from studio.anynet import run as any_run
from studio.config import checked, embedded
from studio.process import ask_to_stop
from studio.shelf import add
from studio.store import create_run

import assets
from eval.prompts import load_prompts, to_yaml
from studio import marks, pairs, votes
from tests.stair_files import write_stair

SCORER = '''"""The person's functions of a run over any network: how near its numbers are to 1."""


def score(weights):
    return [_near(value) for name in ("first", "second") for value in weights[name].tolist()]


def unseen(weights):
    return [_near(weights[name].mean().item()) for name in ("first", "second")]


def _near(value):
    return 1 - min(1, abs(value - 1))
'''


def stop_after(count):
    return lambda store: ask_to_stop(store) if store.count() == count else None


def three(source, target):
    """The first prompts of three categories, with their reference pictures."""
    prompts = load_prompts(source).referring_from(source.parent)
    by_category = {prompt.category: prompt for prompt in reversed(prompts.prompts)}
    some = tuple(by_category[one] for one in ("animals", "food", "travel"))
    target.write_text(to_yaml(prompts.model_copy(update={"prompts": some})), "utf-8")
    return str(target)


def make_run(work, name, **changes):
    """A new run; it fits into three captions and two steps."""
    niches, held_out = three(assets.EVOLVE, work / "evolve.yaml"), three(assets.HELD_OUT, work / "held_out.yaml")
    config = embedded(prompts=niches, held_out=held_out, evaluations=6, archive=5, seed=3, pictures={"steps": 2})
    return create_run(work / name, checked(config.model_dump() | changes))


def judge(store):
    """Votes of three people on a run, of every answer, and marks."""
    answers = {"Aya": ("left", "right", "left"), "Ken": ("left", "both good", "right"), "美咲": ("both bad", "right")}
    rng = random.Random(7)
    for rater, reads, count in (("Aya", "ja", 24), ("Ken", "en", 9), ("美咲", "other", 6)):
        for number in range(count):
            pair = pairs.next_pair(store, votes.read_votes(store.folder), rater, reads, rng)
            votes.write_vote(store.folder, pair.vote(rater, reads, answers[rater][number % len(answers[rater])]))
    first, second = store.individual("0001"), store.individual("0002")
    marks.mark(store, first, rater="Aya", stars=2, tags="dark", note="")
    marks.mark(store, first, rater="Aya", stars=4, tags="bright, round、丸い", note="better than it looked")
    marks.mark(store, first, rater="", stars=3, tags="round", note="")
    marks.mark(store, second, rater="美咲", stars=0, tags="", note="線がきれい")


def make_any(folder):
    """A run over two networks with sixteen numbers each."""
    ones, zeros, steps = torch.ones(8), torch.zeros(8), torch.tensor([3])
    for name, first, second in (("left", ones, zeros), ("right", zeros, ones)):
        (folder / name).mkdir(parents=True)
        weights = {"first": first.clone(), "second": second.clone(), "steps": steps.clone()}
        save_file(weights, folder / name / "model.safetensors", {"format": "pt"})
        (folder / name / "config.json").write_text('{"model_type": "tiny"}\n')
    (folder / "score.py").write_text(SCORER)
    (folder / "asked.yaml").write_text(
        "kind: any\nsources: [left, right]\nchromosomes: {one: [first], two: [second]}\nscorer: score.py:score\n"
        "reporter: score.py:unseen\nevaluations: 12\narchive: 6\nseed: 5\n"
    )
    store = any_run.create(folder / "run", any_config.load(folder / "asked.yaml"))
    any_run.carry_out(store, stop_after(5))
    store.close()


def write_inputs(folder, pictures):
    """Captions with everything wrong, captions of pictures as STAIR has them, a recipe by hand, sources added."""
    folder.mkdir()
    rows = "id,category,ja,en\na,animals,犬,dog\na,animals,猫,cat\nb,food,,bread\nc,food,犬,hound\nd,,と" + "て" * 60
    (folder / "captions.csv").write_text(rows + "も長い,long\n", "utf-8")
    ten = [f"{one},{('animals', 'food')[one % 2]},写真{one},photograph {one}" for one in range(10)]
    (folder / "ten.csv").write_text("\n".join(["id,category,ja,en", *ten, ""]), "utf-8")
    files = write_stair(folder, 4)
    shutil.rmtree(files.pictures)
    for file in (files.captions, files.english):
        content = json.loads(file.read_text("utf-8"))
        for picture, drawn in zip(content["images"], pictures, strict=False):
            picture["file_name"] = drawn.name
        file.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    layouts = open_source(assets.FAMILY / "ja").components["unet"].layouts
    recipe = {
        "format": "m2n2-recipe",
        "version": 1,
        "name": "half",
        "architecture": "sdxl-unet",
        "sources": [{"name": name, "uri": str(assets.FAMILY / name)} for name in ("ja", "flat")],
        "host": {"default": "ja"},
        "chromosomes": {
            name: {"size": layout.size, "segments": [{"stop": layout.size, "weights": [0.5, 0.5]}]}
            for name, layout in layouts.items()
        },
    }
    (folder / "half.json").write_text(json.dumps(recipe, indent=1) + "\n")
    add(folder, f"{assets.FAMILY / 'ja'} + 0.8 * {folder / 'ink.safetensors'}")
    add(folder, "somebody/drawings@main")
