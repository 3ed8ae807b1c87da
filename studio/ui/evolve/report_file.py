"""A run's report as a file to download."""

from __future__ import annotations

from pathlib import Path

from studio.i18n import Lang
from studio.reports import write_report
from studio.ui.common.studio import Studio, download_folder


def report_file(studio: Studio, lang: Lang, name: str) -> Path:
    """Write the report on a run as a page that opens anywhere; takes a second or two.

    Raises:
        M2N2Error: there is no such run, or it cannot be read.
    """
    folder = download_folder()
    with studio.run(name) as store:
        return write_report(store, lang, folder / f"{name}-report-{lang}.html")
