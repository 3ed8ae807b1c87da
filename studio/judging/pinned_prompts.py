"""The prompts that a team looks at: pinned for a run, the same on every wall, strip and tile, so neighbours compare.

They are kept by their ids in `pinned.json` in the run's folder. A run that nobody pinned prompts for has a few of every
part of its set.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from eval.prompts.prompt_set import Prompt
from pipelines.storage.files import write_whole
from pipelines.untrusted import UnreadableDocument, read_json
from studio.errors import RunError
from studio.runs.store import RunStore

PINNED_FILE = "pinned.json"
FEW = 4  # prompts where nobody pinned any
MOST_PINNED = 12


def pinned_prompts(store: RunStore) -> list[Prompt]:
    """Return the prompts that are pinned for a run, in the order they were pinned in; a few of its own without any."""
    prompts = store.prompts.niches.prompts
    by_id = {prompt.id: prompt for prompt in prompts}
    pinned = [by_id[id] for id in _ids(store) if id in by_id]
    if pinned:
        return pinned
    places = np.linspace(0, len(prompts) - 1, min(FEW, len(prompts))).round().astype(int)
    return [prompts[place] for place in places]


def pin_prompts(store: RunStore, ids: Sequence[str]) -> None:
    """Pin prompts for a run, for everybody; none takes the pins out.

    Raises:
        RunError: more than `MOST_PINNED`, or one that the run does not have.
    """
    known = {prompt.id for prompt in store.prompts.niches.prompts}
    if len(ids) > MOST_PINNED:
        raise RunError(
            "Expected at most {most_pinned} pinned prompts, found {found}. Take some out.",
            most_pinned=MOST_PINNED,
            found=len(ids),
        )
    if unknown := [id for id in ids if id not in known]:
        raise RunError(
            "Run {run} has no prompt {prompts}. Choose from its set.", run=store.name, prompts=", ".join(unknown)
        )
    write_whole(store.folder / PINNED_FILE, json.dumps(list(dict.fromkeys(ids)), ensure_ascii=False).encode())


def _ids(store: RunStore) -> list[str]:
    """What the file says; nothing where it is not there, or was damaged: then a few stand in."""
    try:
        found = read_json(store.folder / PINNED_FILE)
    except (UnreadableDocument, OSError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
