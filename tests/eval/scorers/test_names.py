"""Scorers' names, as strings."""

from pathlib import Path

import pytest

from eval.scorers import names

BASE = "xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k"


@pytest.mark.parametrize(
    ("name", "folder", "elsewhere", "shared", "label"),
    [
        ("local-dir:/models/judge", "/models/judge", "local-dir:/models/judge", "local-dir:judge", "judge"),
        ("local-dir:judge", "judge", "local-dir:/here/judge", "local-dir:judge", "judge"),
        (f"{BASE}@/clip", "/clip", f"{BASE}@/clip", BASE, BASE),
        (f"{BASE}@clip", "clip", f"{BASE}@/here/clip", BASE, BASE),
        (BASE, None, BASE, BASE, BASE),
        ("hf-hub:owner/name", None, "hf-hub:owner/name", "hf-hub:owner/name", "hf-hub:owner/name"),
    ],
)
def test_what_a_name_says(name, folder, elsewhere, shared, label):
    assert names.folder_in(name) == (Path(folder) if folder else None)
    assert names.placed(name, Path("/here")) == elsewhere
    assert names.portable(name) == shared
    assert names.label(name) == label
