"""What `make run` installs, and under which licence each package is, as the package itself says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from studio.i18n import Lang

from .phrases import NONE, code, joined, made_from_the_program, say, table

ROOT = Path(__file__).resolve().parents[2]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)
_ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| [^|]+ \| (.+) \|$", re.MULTILINE)
_LONGEST = 80  # where a package has its whole licence in the field for the name of one


def page(lang: Lang) -> str:
    """The page in one language."""
    known = _written_before()
    rows = [
        [code(name), version, code(only) if only else NONE, licence_of(name) or known.get(name, NONE)]
        for name, version, only in pins()
    ]
    headers = [say(lang, word) for word in ("package", "version", "only where", "licence")]
    return joined(
        [
            made_from_the_program("dependencies", lang),
            f"# {say(lang, 'Packages and their licences')}",
            say(
                lang,
                "`make run` installs the versions below, each checked against its hash in `requirements.txt`. The"
                " licence is what the package says of itself; NVIDIA's libraries come with torch for Linux and are not"
                " free software: their terms let you use them with NVIDIA's GPUs. Nothing of this is part of the"
                " studio's own files. `make sbom` writes the same list in CycloneDX's form, `make audit` asks for known"
                " vulnerabilities.",
            ),
            table(headers, rows),
        ]
    )


def pins() -> list[tuple[str, str, str]]:
    """Name, version and condition of every package in `requirements.txt`."""
    found = _PIN.findall((ROOT / "requirements.txt").read_text("utf-8"))
    return [(name, version, only.strip()) for name, version, only in found]


def licence_of(name: str) -> str:
    """The licence of an installed package in its own words; empty where it is not installed or says nothing."""
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    expression = "".join(said.get_all("License-Expression", []))
    classes = [line.rsplit(" :: ", 1)[1] for line in said.get_all("Classifier", []) if line.startswith("License ::")]
    named = "".join(said.get_all("License", [])).strip()
    short = named if named and "\n" not in named and len(named) <= _LONGEST else ""
    return expression or ", ".join(classes) or short or _title_of_licence(name, said.get_all("License-File", []))


def _title_of_licence(name: str, files: Sequence[str]) -> str:
    """The title of the licence that comes with a package: the two lines that its text begins with."""
    text = "".join(metadata.distribution(name).read_text(f"licenses/{file}") or "" for file in files[:1])
    return " ".join(line.strip() for line in text.strip().splitlines()[:2])[:_LONGEST].strip()


def _written_before() -> dict[str, str]:
    """Licences of packages that another platform installs, from the page as it is."""
    written = ROOT / "docs" / "dependencies.md"
    return dict(_ROW.findall(written.read_text("utf-8"))) if written.is_file() else {}
