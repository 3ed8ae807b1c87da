"""`m2n2 votes`: what people's blind votes on a run say."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eval.scorers import names

from . import console
from .options import Json, Run

READERS = {"ja": "read Japanese best", "en": "read English best", "other": "read another language best"}


def votes(
    run: Run,
    as_json: Json = False,
) -> None:
    """People's ranking, and how often the scorer agrees. / 投票による順位と、採点モデルとの一致率を表示します。"""
    from studio.judging import ranking
    from studio.judging.votes import missing_votes, read_votes
    from studio.runs.store import open_run

    opened = open_run(run)
    given = read_votes(opened.folder)
    scorer = names.label(opened.config.scorer)
    opened.close()
    found = ranking.votes_report(given) | {"scorer": scorer, "missing_to_steer": missing_votes(given)}
    if as_json:
        console.print_json(found)
        return
    out = Console(soft_wrap=True)
    if not given:
        out.print(f"Nobody has judged {escape(str(run))} yet. Open the Judge page: m2n2 studio")
        return
    everybody = found["everybody"]
    table = Table("", "wins against an average one", "95 %", "votes", title=f"{run}: {everybody['votes']} votes")
    for one in everybody["ranking"]:
        table.add_row(one["name"], f"{one['chance']:.0%}", f"{one['low']:.0%} .. {one['high']:.0%}", str(one["votes"]))
    out.print(table)
    out.print(_line("everybody", everybody, scorer))
    for reads, one in found["by_reader"].items():
        out.print(_line(f"those who {READERS[reads]}", one, scorer))
    for rater, one in found["by_rater"].items():
        out.print(_line(rater, one, scorer))
    lacking = found["missing_to_steer"]
    out.print(
        f"{lacking} more decided votes, and they can steer a run."
        if lacking
        else f"They can steer a run: write `votes: {escape(str(run))}` in its file."
    )


def _line(who: str, one: dict[str, Any], scorer: str) -> str:
    """One sentence on somebody's votes."""
    share = one["agreement"]
    agreed = (
        f"agree with {escape(scorer)} in {share['share']:.0%} ({share['low']:.0%} .. {share['high']:.0%}) of "
        f"{share['of']} votes that both decided"
        if share
        else "nothing decided yet"
    )
    return f"{escape(who)}: {one['votes']} votes, {agreed}; both good {one['both_good']}, both bad {one['both_bad']}"
