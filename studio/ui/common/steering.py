"""Steering a run by what people said, as pages have it: asked for by a button, taken back by another."""

from __future__ import annotations

from studio.judging import steering

from .studio import Studio


def steer(studio: Studio, run: str, by: str) -> None:
    """Steer a run by stars, rejections and votes, from its next child on.

    Raises:
        RunError: there is no such run, or nothing to steer it by.
    """
    with studio.run(run) as store:
        steering.ask_to_steer(store, by)


def steer_no_more(studio: Studio, run: str, by: str) -> None:
    """Have a run breed as it would by itself, from its next child on.

    Raises:
        RunError: there is no such run.
    """
    with studio.run(run) as store:
        steering.ask_to_steer_no_more(store, by)
