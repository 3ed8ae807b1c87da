"""`m2n2 prompts`: prompt sets from published captions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console

prompts_app = typer.Typer(
    help="Prompt sets: what to draw, in both languages. / プロンプト集（日英の文）。", no_args_is_help=True
)


@prompts_app.command("import-stair")
def import_stair(
    captions: Annotated[
        Path, typer.Argument(metavar="CAPTIONS.json", help="STAIR Captions, such as stair_captions_v1.2_val.json")
    ],
    pictures: Annotated[Path, typer.Option(help="folder of COCO's val2014 pictures")],
    out: Annotated[Path, typer.Option(help="folder for evolve.yaml, held_out.yaml and pairs.yaml")],
    english: Annotated[
        Path | None, typer.Option(help="COCO's captions_val2014.json: English captions of the same pictures")
    ] = None,
    evolve: Annotated[int, typer.Option(min=1, help="how many of the last pictures to evolve on")] = 2_000,
    held_out: Annotated[int, typer.Option(min=1, help="how many of the first pictures to hold out")] = 10_000,
    pairs: Annotated[
        int, typer.Option(min=0, help="how many of those to take for cross-lingual consistency; 0: none")
    ] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON object on stdout and nothing else there")
    ] = False,
) -> None:
    """The paper's captions and photographs as prompt sets. / 論文の文と写真をプロンプト集にする。"""
    from eval.stair import from_stair, to_yaml
    from pipelines.files import write_whole

    sets = from_stair(captions, pictures, out, english=english, evolve=evolve, held_out=held_out, pairs=pairs)
    written = {}
    for name, prompts in (("evolve", sets.evolve), ("held_out", sets.held_out), ("pairs", sets.pairs)):
        if prompts is not None:
            path = out / f"{name}.yaml"
            write_whole(path, to_yaml(prompts).encode())
            written[name] = {"path": str(path), "prompts": len(prompts)}
    if english is None:
        console.errors.print(
            "[yellow]note:[/] these sets have Japanese captions only, and a run asks for an English twin of each. Name "
            "COCO's captions_val2014.json with --english, or add `en:` to the prompts; until then only `m2n2 score "
            "--language ja` takes them.",
            soft_wrap=True,
            highlight=False,
        )
    if as_json:
        console.print_json({"languages": list(sets.evolve.languages), "sets": written})
        return
    for one in written.values():
        print(one["path"])
