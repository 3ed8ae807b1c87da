"""`m2n2 prompts`: prompt sets from published captions, checked, and split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.scorers import names
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax

from . import console
from .options import Json

prompts_app = typer.Typer(
    help="Prompt sets: what to draw, in both languages. / プロンプトセット（日英のプロンプト）。", no_args_is_help=True
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
    as_json: Json = False,
) -> None:
    """The paper's captions and photographs as prompt sets. / 論文の文と写真をプロンプトセットにします。"""
    from eval.prompts.prompt_set import to_yaml
    from eval.prompts.stair_captions import read_stair_captions
    from pipelines.storage.files import write_whole

    sets = read_stair_captions(captions, pictures, out, english=english, evolve=evolve, held_out=held_out, pairs=pairs)
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


@prompts_app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a prompt set (YAML) or a table (CSV)")],
    scorer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the open_clip model that will score; the embedded judge if left out"),
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="the host, whose text encoders will draw; the embedded `ja`")
    ] = None,
    prompt_syntax: Annotated[
        PromptSyntax, typer.Option(help="how the run reads prompts: as they stand, or with A1111's weights and BREAK")
    ] = PLAIN,
    as_json: Json = False,
) -> None:
    """Missing twins, duplicates, long captions, syntax. / 対訳の不足、重複、長すぎる文、書式を調べます。"""
    import assets
    from eval.prompts.editing import find_issues, read_rows
    from pipelines.checkpoints.source_uri import open_source_uri
    from studio.library.caption_lengths import caption_lengths, scorer_reader, source_readers, unread_captions

    rows = read_rows(file)
    found = find_issues(rows)
    readers = [
        scorer_reader(scorer or names.of_folder(assets.JUDGE)),
        *source_readers(open_source_uri(source or assets.FAMILY / "ja")),
    ]
    cut = [one for one in caption_lengths(rows, readers, prompt_syntax) if one.cut_by]
    unread = unread_captions(rows, prompt_syntax)
    if as_json:
        console.print_json(
            {
                "prompts": len(rows),
                "lacks": found.missing_captions,
                "repeated": found.repeated_ids,
                "same": [
                    {"language": language, "caption": text, "ids": ids} for language, text, ids in found.same_captions
                ],
                "limits": {reader.name: reader.limit for reader in readers},
                "cut": [
                    {
                        "id": one.id,
                        "language": one.language,
                        "caption": one.caption,
                        "tokens": dict(zip((reader.name for reader in readers), one.tokens, strict=True)),
                    }
                    for one in cut
                ],
                "unread": [{"id": one.id, "language": one.language, "syntax": one.places} for one in unread],
            }
        )
        return
    print(f"{len(rows)} prompts")
    for language, ids in found.missing_captions.items():
        if ids:
            print(f"no {language} caption: {', '.join(ids)}")
    if found.repeated_ids:
        print(f"ids that occur more than once: {', '.join(found.repeated_ids)}")
    for language, text, ids in found.same_captions:
        print(f"the same {language} caption, {text}: {', '.join(ids)}")
    for one in cut:
        counts = ", ".join(
            f"{reader.name} takes {reader.limit} tokens of {count}"
            for reader, count in zip(readers, one.tokens, strict=True)
            if reader.name in one.cut_by
        )
        print(f"cut short: {one.id} ({one.language}) {one.caption}: {counts}")
    for caption in unread:
        print(f"{_UNREAD[prompt_syntax]}: {caption.id} ({caption.language}): {'  '.join(caption.places)}")
    if unread and prompt_syntax == PLAIN:
        print("a run reads these as A1111 does with prompt_syntax: a1111")


_UNREAD: dict[PromptSyntax, str] = {
    "plain": "drawn as letters",
    "a1111": "not read as in A1111",
}


@prompts_app.command("split")
def split_set(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="a prompt set (YAML) or a table (CSV)")],
    out: Annotated[Path, typer.Option(help="folder for the two sets")],
    held_out: Annotated[float, typer.Option(help="share of the prompts to hold out, of every category alike")] = 0.6,
    seed: Annotated[int, typer.Option(min=0, help="random seed of the choice")] = 0,
    as_json: Json = False,
) -> None:
    """Two sets, to evolve on and held out, no prompt in both. / 進化用と評価専用に、重なりなく分けます。"""
    from eval.prompts.editing import read_rows, split_prompts, to_prompt_set
    from studio.library.prompt_library import check_free, rebase_references, save_prompt_set

    rows = rebase_references(read_rows(file), file.resolve().parent, out.resolve())
    halves = split_prompts(to_prompt_set(rows, file.stem), held_out, seed=seed)
    written = {key: (out / f"{half.name}.yaml", half) for key, half in zip(("evolve", "held_out"), halves, strict=True)}
    for path, _ in written.values():
        check_free(path)
    for path, half in written.values():
        save_prompt_set(path, half)
    if as_json:
        console.print_json({key: {"path": str(path), "prompts": len(half)} for key, (path, half) in written.items()})
        return
    for path, _ in written.values():
        print(path)
