"""`m2n2 evolve`: start a run, go on with one, fork one, or say what it will need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from pipelines.untrusted import UnreadableDocument, parse_yaml
from studio.jobs.worker_count import RayWorkers
from studio.runs.kind import is_any

from . import console
from .options import Json, Pictures

if TYPE_CHECKING:
    from pipelines.checkpoints.sources import Source
    from studio.runs.config import RunConfig


def evolve(
    run_yaml: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN.yaml", help="what to do: a run file (docs/run-file.md), such as run.yaml of any run"
        ),
    ] = None,
    preset: Annotated[Literal["embedded"] | None, typer.Option(help="settings that need no file")] = None,
    evaluations: Annotated[int | None, typer.Option(min=0, help="offspring to make")] = None,
    archive: Annotated[int | None, typer.Option(min=2, help="individuals kept alive")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="random seed of parents, split points and mixing ratios")
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto|ray",
            help="processes that draw and score at once, and offspring in flight; auto: one per GPU; ray or ray:N: on "
            "a Ray cluster (docs/scale.md). With --resume, a number: processes from now on, of a run that is going too",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="with workers on a Ray cluster: its head; RAY_ADDRESS, or the cluster of this machine, if left out",
        ),
    ] = None,
    pictures: Pictures = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="any other setting, such as breeding.beta=5; may be repeated"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the run's folder; runs/DATE if left out")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on with the run in --out, to another budget with --evaluations")
    ] = False,
    accept: Annotated[
        str | None,
        typer.Option(
            metavar="WHY",
            help="with --resume: go on though what the run depends on has changed; the reason stays with the run",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="with --resume: read every byte of the sources again before it goes on")
    ] = False,
    fork: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="a new run as that one was asked, which begins with its archive"),
    ] = None,
    preflight: Annotated[
        bool, typer.Option("--preflight", help="only say what the run will need, and whether it fits this machine")
    ] = False,
    as_json: Json = False,
) -> None:
    """Breed offspring from a few checkpoints. / 素材モデルの交配を始めます。中断した続きからも再開できます。"""
    count = int(workers) if workers and workers.isdecimal() else workers
    asked_for = {"evaluations": evaluations, "archive": archive, "seed": seed, "workers": count}
    changes: dict[str, Any] = {field: value for field, value in asked_for.items() if value is not None}
    changes |= dict(map(_setting, settings or []))
    if not resume and (check or accept is not None):
        _usage("--accept and --check go with --resume --out RUN.")
    if accept is not None and not accept.strip():
        _usage("--accept needs the reason why the run may go on.")
    others = changes.keys() - {"evaluations", "workers"}
    if resume and (out is None or run_yaml or preset or fork or others or pictures or preflight):
        _usage(
            "--resume goes with --out RUN, and at most --evaluations, --workers, --accept, --check and --address: a "
            "run keeps its settings."
        )
    if resume and workers is not None and not isinstance(count, int):
        _usage("With --resume, --workers is a number: as many offspring are in flight as before.")
    if not resume and [run_yaml, preset, fork].count(None) != 2:
        _usage("Name a RUN.yaml, --preset embedded, or --fork RUN.")
    run_path = run_yaml or fork or (out if resume else None)
    if run_path and is_any(run_path):
        if out is None or pictures or preflight or address or (resume and workers):
            _usage(
                "A run with kind: any needs --out RUN, and knows no --pictures, --preflight, --workers and --address."
            )
        from . import networks

        if fork is not None:
            run_yaml, changes = fork / "run.yaml", {**changes, "start": str(fork.resolve())}
        networks.evolve(run_yaml, changes, out, as_json, accept=accept, reread=check)
        return

    from studio.execution import control, creation
    from studio.licences.ledger import ledger_of_sources
    from studio.runs import store, summary  # here, not above: what is refused needs no torch
    from studio.runs.config_file import configured
    from studio.runs.inputs import open_run_sources
    from studio.runs.status import is_running

    if resume and out is not None:
        run_store = store.open_run(out)
        _check_address(address, run_store.config)
        if evaluations is not None:
            control.extend(run_store, evaluations)
        if isinstance(count, int):
            control.want_workers(run_store, count)
            if is_running(run_store):
                console.print_facts([f"{out} goes on with {count} workers; see them with: m2n2 show {out}"])
                run_store.close()
                return
    else:
        if fork is not None:
            run_yaml, changes = fork / "run.yaml", {**changes, "start": str(fork.resolve())}
        config = configured(run_yaml, changes, pictures)
        _check_address(address, config)
        folder = out or control.default_folder(Path("runs"))
        sources = open_run_sources(config)
        console.print_clashes(ledger_of_sources(sources.values()).sentences("en"))
        if preflight:
            _preflight(config, sources, folder, as_json)
            return
        run_store = creation.create_run(folder, config, address)
    with console.evolution_progress(run_store.config.evaluations) as watch:
        control.carry_out(run_store, watch, accept=accept, reread=check, address=address)
    if as_json:
        console.print_json(summary.run_json(run_store))
    else:
        console.print_results(summary.run_json(run_store))
    run_store.close()


def _preflight(config: RunConfig, sources: Mapping[str, Source], folder: Path, as_json: bool) -> None:
    from studio.execution.preflight import measured_rate, preflight

    needs = preflight(config, sources, folder=folder, rate=measured_rate(folder.parent, config))
    if as_json:
        console.print_json(needs.to_json())
    else:
        console.print_preflight(needs)
    needs.check()


def _check_address(address: str | None, config: RunConfig) -> None:
    if address and not isinstance(config.workers, RayWorkers):
        _usage("--address goes with workers on a Ray cluster: --workers ray.")


def _setting(text: str) -> tuple[str, Any]:
    """Parse KEY=VALUE as a run file would have it."""
    key, equals, value = text.partition("=")
    try:
        return key.strip(), parse_yaml(value) if equals else _usage(f"--set {text}: expected KEY=VALUE.")
    except UnreadableDocument:
        _usage(f"--set {text}: {value!r} is no value of a run file.")


def _usage(message: str) -> NoReturn:
    raise typer.BadParameter(f"{message} Try 'm2n2 evolve --help'.")
