"""The page on run files: every key, from the models that check them."""

from __future__ import annotations

from collections.abc import Iterable

from eval.scorers.catalogue import RECOMMENDED
from pipelines.generation.settings import presets
from studio.i18n import Lang, t
from studio.jobs.worker_count import RayWorkers
from studio.networks.config import AnyConfig
from studio.runs.run_keys import RUN_KEYS, RunKey, keys_of
from studio.ui.new_run.form_options import BEYOND_THE_PAPER

from .phrases import NONE, beside, code, fenced, joined, made_from_the_program, say, table
from .values import as_yaml, default_words, limits_words, type_words

SDXL_SIDE = 1024  # pixels
PICTURES = """
sources: [models/base.safetensors, models/ja]
host: {default: ja}
prompts: prompts/evolve.yaml
held_out: prompts/held_out.yaml
"""
ANY_NETWORK = """
kind: any
sources: [models/adds, models/spells]
scorer: score.py:score
"""


def page(lang: Lang) -> str:
    """The whole page, as Markdown."""
    return joined(
        [
            made_from_the_program("run-file", lang),
            f"# {say(lang, 'Run files')}",
            say(
                lang,
                "A run file says in YAML what a run is asked to do. `m2n2 evolve RUN.yaml` reads it, `--set KEY=VALUE` "
                "changes one key of it, and every run keeps its own as `run.yaml` in its folder. Keys that are not "
                "listed here are refused, and so are values beyond their limits. Relative paths are relative to the "
                "file.",
            ),
            say(
                lang,
                "What the words mean: [concepts]({concepts}). The commands: [command line]({commands}).",
                concepts=beside(lang, "concepts"),
                commands=beside(lang, "command-line"),
            ),
            *_pictures(lang),
            *_any_network(lang),
        ]
    )


def _pictures(lang: Lang) -> list[str]:
    whole = [row for row in RUN_KEYS.values() if "." not in row.key]
    return [
        f"## {say(lang, 'Runs over SDXL checkpoints')}",
        say(lang, "The least that a file must say:"),
        fenced(PICTURES, "yaml"),
        _keys(lang, whole),
        "### `breeding`",
        say(lang, "How offspring are made. The defaults are the paper's; what differs from them goes beyond it."),
        _keys(lang, _within("breeding")),
        say(lang, "What each tick under “{options}” of a new run sets:", options=t(lang, "options")),
        table(
            [say(lang, "tick"), say(lang, "keys")],
            [
                [t(lang, one.label), ", ".join(code(f"{key}: {as_yaml(value)}") for key, value in one.changes.items())]
                for one in BEYOND_THE_PAPER
            ],
        ),
        "### `workers`",
        say(
            lang,
            "On a Ray cluster: `ray`, `ray:8`, or a mapping with these keys. See [scale]({page}).",
            page=beside(lang, "scale"),
        ),
        _keys(lang, keys_of(RayWorkers, "workers.")),
        "### `pictures`",
        say(lang, "How pictures are drawn. What a preset stands for depends on the model; for SDXL:"),
        table(
            [say(lang, "preset"), "steps", "guidance", "speed"],
            [
                [code(name), str(one.steps), f"{one.guidance:g}", code(one.speed) if one.speed else NONE]
                for name, one in presets(SDXL_SIDE).items()
            ],
        ),
        say(lang, "A mapping in place of a preset has these keys:"),
        _keys(lang, _within("pictures")),
        f"### {say(lang, 'Scorers')}",
        say(
            lang,
            "`scorer` and `reporter` take any open_clip model as MODEL/TAG, a folder as `local-dir:/folder`, or a "
            "repository as `hf-hub:owner/name`. Recommended, and free for commercial use:",
        ),
        table(
            [
                say(lang, "name"),
                say(lang, "licence"),
                say(lang, "to fetch"),
                say(lang, "Japanese"),
                say(lang, "tokens"),
                say(lang, "why"),
            ],
            [
                [
                    code(one.name),
                    one.licence,
                    f"{one.bytes / 1e9:.1f} GB",
                    NONE if one.japanese is None else f"{one.japanese:.3f}",
                    str(one.context_length),
                    say(lang, one.why),
                ]
                for one in RECOMMENDED
            ],
        ),
        say(
            lang,
            "Japanese: how often the picture for a Japanese caption of Crossmodal-3600 comes first. Tokens: how much "
            "of a caption counts.",
        ),
    ]


def _any_network(lang: Lang) -> list[str]:
    return [
        f"## {say(lang, 'Runs over any other network')}",
        say(
            lang,
            "With `kind: any`, from the command line. How to write the scorer: [any network]({page}).",
            page=beside(lang, "any_network"),
        ),
        say(lang, "The least that a file must say:"),
        fenced(ANY_NETWORK, "yaml"),
        _keys(lang, keys_of(AnyConfig)),
    ]


def _within(key: str) -> list[RunKey]:
    return [row for row in RUN_KEYS.values() if row.key.startswith(f"{key}.")]


def _keys(lang: Lang, rows: Iterable[RunKey]) -> str:
    return table(
        [say(lang, head) for head in ("key", "type", "default", "limits", "meaning")],
        [
            [
                code(row.key),
                type_words(lang, row.annotation),
                default_words(lang, row),
                limits_words(lang, row),
                say(lang, row.meaning),
            ]
            for row in rows
        ],
    )
