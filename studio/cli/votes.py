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
    from studio.judging.assignments import read_assignment
    from studio.judging.votes import missing_votes, read_votes
    from studio.runs.store import open_run

    run_store = open_run(run)
    given = read_votes(run_store.folder)
    assignment = read_assignment(run_store.folder)
    scorer = names.label(run_store.config.scorer)
    run_store.close()
    progress = assignment.progress(given) if assignment else {}
    summary = ranking.votes_report(given) | {
        "scorer": scorer,
        "missing_to_steer": missing_votes(given),
        "shared_out": {rater: {"answered": done, "of": of} for rater, (done, of) in progress.items()},
    }
    if as_json:
        console.print_json(summary)
        return
    out = Console(soft_wrap=True)
    for rater, (done, of) in progress.items():
        out.print(f"{escape(rater)}: {done} of the {of} questions answered that were shared out.")
    if not given:
        out.print(f"Nobody has judged {escape(str(run))} yet. Open the Judge page: m2n2 studio")
        return
    everybody = summary["everybody"]
    table = Table("", "wins against an average one", "95 %", "votes", title=f"{run}: {everybody['votes']} votes")
    for entry in everybody["ranking"]:
        table.add_row(
            entry["name"], f"{entry['chance']:.0%}", f"{entry['low']:.0%} .. {entry['high']:.0%}", str(entry["votes"])
        )
    out.print(table)
    out.print(_line("everybody", everybody, scorer))
    for reads, entry in summary["by_reader"].items():
        out.print(_line(f"those who {READERS[reads]}", entry, scorer))
    for rater, entry in summary["by_rater"].items():
        out.print(_line(rater, entry, scorer))
    lacking = summary["missing_to_steer"]
    out.print(
        f"{lacking} more decided votes, and they can steer a run."
        if lacking
        else f"They can steer a run: write `votes: {escape(str(run))}` in its file."
    )


def _line(who: str, part: dict[str, Any], scorer: str) -> str:
    """Write one sentence on some votes."""
    share = part["agreement"]
    agreed = (
        f"agree with {escape(scorer)} in {share['share']:.0%} ({share['low']:.0%} .. {share['high']:.0%}) of "
        f"{share['of']} votes that both decided"
        if share
        else "nothing decided yet"
    )
    return f"{escape(who)}: {part['votes']} votes, {agreed}; both good {part['both_good']}, both bad {part['both_bad']}"
