"""What each command imports: a heavy library that it has no use for would keep everybody waiting.

Two processes run every command that can be run here, the lightest first, and note which heavy libraries had been
imported after each. Those that draw, measure or serve are known by what their help may cost: nothing heavy.
"""

import json

import pytest
import typer.main

from studio.cli.app import app
from tests.conftest import python
from tests.data.before_rooms.before import filled, lay_out
from tests.data.before_rooms.commands import ANY, FAMILY, JA, OUT, RUN

HEAVY = (
    *("torch", "safetensors", "transformers", "diffusers", "accelerate", "peft", "torchvision", "open_clip", "timm"),
    *("gradio", "fastapi", "pandas", "matplotlib", "sklearn", "scipy.optimize", "scipy.stats", "huggingface_hub"),
)
WEIGHTS = {"torch", "safetensors", "huggingface_hub"}  # to read weights; a hub id may be one
DRAWS = None  # to draw, to score or to serve a page: not run here
BLEND = ["recipe", "blend", JA, f"{FAMILY}/flat", "--weights", "0.7,0.3", "--out", f"{OUT}.json"]
#: By command: how it is run, and what of HEAVY it may import. In the order in which they are run.
COMMANDS = {
    "clean": (["clean", "{work}"], set()),
    "prompts split": (["prompts", "split", "{work}/inputs/ten.csv", "--out", f"{OUT}/split"], set()),
    "prompts import-stair": (
        ["prompts", "import-stair", "{work}/inputs/stair_val.json", "--pictures", f"{RUN}/images/0001", "--out",
         f"{OUT}/stair", "--evolve", "1", "--held-out", "3", "--pairs", "0"], set(),
    ),
    "studio invite": (["studio", "invite", "hana", "--runs", "{work}"], set()),
    "studio people": (["studio", "people", "--runs", "{work}"], set()),
    "studio remove": (["studio", "remove", "hana", "--runs", "{work}"], set()),
    "studio add": (["studio", "add", "ken", "--role", "viewer", "--no-password", "--runs", "{work}"], set()),
    "studio password": (["studio", "password", "--help"], set()),  # asks
    "show": (["show", RUN], set()),
    "votes": (["votes", RUN], {"scipy.optimize", "scipy.stats"}),
    "sources list": (["sources", "list"], WEIGHTS),
    "sources inspect": (["sources", "inspect", JA], WEIGHTS),
    "sources compare": (["sources", "compare", JA, f"{FAMILY}/flat"], WEIGHTS),
    "sources licences": (["sources", "licences", JA, f"{FAMILY}/flat"], WEIGHTS),
    "sources check": (["sources", "check", JA, "--runs", "{work}/none"], WEIGHTS),
    "recipe blend": (BLEND, WEIGHTS),
    "recipe pin": (["recipe", "pin", "{work}/inputs/half.json", "--out", f"{OUT}-half.json"], WEIGHTS),
    "recipe import": (["recipe", "import", "{work}/mean.yaml", "--out", f"{OUT}-mean.json"], WEIGHTS),
    "recipe export": (["recipe", "export", f"{OUT}.json", "--out", f"{OUT}.yaml", "--mergekit"], WEIGHTS),
    "merge": (["merge", f"{OUT}.json", "--out", f"{OUT}/merged"], WEIGHTS),
    "export": (["export", RUN, "0001", "--out", f"{OUT}/exported"], WEIGHTS),
    "verify": (["verify", f"{OUT}/merged"], WEIGHTS),
    "report": (["report", RUN, "--out", f"{OUT}/report.html"], {*WEIGHTS, "matplotlib"}),
    "review": (["review", RUN, "--out", f"{OUT}/review.html"], set()),  # no more than a report does
    "prompts check": DRAWS,
    "evolve": DRAWS,
    "score": DRAWS,
    "draw": DRAWS,
    "monitor": DRAWS,
    "studio": DRAWS,
}  # fmt: skip
#: The same for runs and recipes of any other network, by what they are called here.
OF_ANY_NETWORK = {
    "show a network": (["show", ANY], {*WEIGHTS, "scipy.optimize"}),
    "export a network": (["export", ANY, "0003", "--out", f"{OUT}/network"], WEIGHTS),
    "merge a network": (["merge", f"{OUT}/network/recipe.json", "--out", f"{OUT}/again"], WEIGHTS),
}
RUN_HERE = {name: run for name, run in COMMANDS.items() if run} | OF_ANY_NETWORK
PROGRAM = """
import contextlib, io, json, sys
from studio.cli.app import app

def imported():
    return [name for name in json.loads(sys.argv[1]) if name in sys.modules]

found = {}
for name, arguments in json.loads(sys.argv[2]).items():
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = app(arguments, standalone_mode=False) or 0
        except SystemExit as end:
            code = end.code or 0
        except Exception as error:
            code = print(repr(error)) or 1
    found[name] = {"code": code, "said": said.getvalue(), "imported": imported()}
print(json.dumps(found))
"""


def commands(group=None, path=()):
    """The path of every command, `m2n2 studio` too, which is one with others under it."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if getattr(command, "commands", None):
            yield from commands(command, (*path, name))
        if not getattr(command, "commands", None) or command.invoke_without_command:
            yield " ".join((*path, name))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """By command, its exit code, what it said, and what had been imported by then."""
    work = tmp_path_factory.mktemp("imports")
    lay_out(work)
    models = "".join(f"- model: {filled(one, work)}\n  parameters: {{weight: 1}}\n" for one in (JA, f"{FAMILY}/flat"))
    (work / "mean.yaml").write_text(f"merge_method: linear\nmodels:\n{models}", "utf-8")
    wanted = {name: [filled(part, work) for part in arguments] for name, (arguments, _) in RUN_HERE.items()}
    done = python("-c", PROGRAM, json.dumps(HEAVY), json.dumps(wanted))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", RUN_HERE)
def test_a_command_imports_what_it_needs(ran, command):
    assert ran[command]["code"] == 0, ran[command]["said"]
    before = list(ran)[: list(ran).index(command)]
    already = {module for name in before for module in ran[name]["imported"]}
    assert set(ran[command]["imported"]) - already <= RUN_HERE[command][1]


def test_every_command_is_listed():
    """A new one says how it is run here, and which heavy libraries it needs."""
    assert set(COMMANDS) == set(commands())


def test_help_of_every_command_imports_nothing_heavy():
    wanted = {name: [*name.split(), "--help"] for name in ["", *COMMANDS]}
    done = python("-c", PROGRAM, json.dumps(HEAVY), json.dumps(wanted))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: one["imported"] for name, one in found.items()} == dict.fromkeys(wanted, [])
    assert all("Usage" in one["said"] for one in found.values())
