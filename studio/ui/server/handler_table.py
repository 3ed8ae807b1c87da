"""The handlers of the pages by role, as a table: `python -m studio.ui.server.handler_table`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import gradio as gr

from studio.access.roles import ROLES
from studio.ui.common.frame import PAGES
from studio.ui.common.studio import Studio

from .app import build_pages, handler_roles
from .route_roles import ROUTE_ROLES


def handler_table(pages: gr.Blocks) -> str:
    """Write the handlers of one language's pages by role, then the addresses, as Markdown."""
    roles = handler_roles(pages)
    rows = [
        (event.page or PAGES[0], role, str(event.name), ", ".join(sorted({kind for _, kind in event.targets})))
        for number, event in pages.fns.items()
        if (role := roles[number]) is not None
    ]
    rows.sort(key=lambda row: (ROLES.index(row[1]), PAGES.index(row[0]), row[2]))
    lines = ["| needs | page | handler | called on |", "| --- | --- | --- | --- |"]
    lines += [f"| {role} | {page} | `{name}` | {called} |" for page, role, name, called in rows]
    lines += ["", "| needs | methods | address |", "| --- | --- | --- |"]
    lines += [
        f"| {one.role or 'nothing'} | {one.methods} | `{one.pattern.replace('|', chr(0xA6))}` |" for one in ROUTE_ROLES
    ]
    return "\n".join(lines)


async def _pages(runs: Path) -> gr.Blocks:
    return build_pages(Studio(runs), "en")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(handler_table(asyncio.run(_pages(Path(folder) / "runs"))) + "\n")


if __name__ == "__main__":
    main()
