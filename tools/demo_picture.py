"""Draw docs/demo.svg: the view of a real demo while it trails, and the summary of its end.

Run it from the checkout: PYTHONPATH=src .env/run/bin/python tools/demo_picture.py
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from trailstop.daemon.talk.status import Fact, Status
from trailstop.demo.settings import DemoSettings
from trailstop.demo.story import play
from trailstop.demo.summary import print_summary
from trailstop.domain.position import Phase
from trailstop.view.table import render

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs" / "demo.svg"
COLUMNS: Final = 120
FONT_FACES: Final = re.compile(r"@font-face \{\{.*?\}\}\n", re.DOTALL)
"""Fonts that the picture would fetch from elsewhere; the reader's own do as well."""


class Camera:
    """Keeps the most telling state: a position that trails, after as many moves as possible."""

    wants_status = True
    wants_facts = False

    def __init__(self) -> None:
        self.title = ""
        self.best: Status | None = None
        self._moves = -1

    def open(self, title: str) -> None:
        """Keep the title."""
        self.title = title

    def status(self, status: Status) -> None:
        """Keep the state if it tells more than the one before."""
        trailing = [leg.moves for leg in status.legs if leg.phase is Phase.ACTIVE]
        if trailing and max(trailing) >= self._moves:
            self._moves, self.best = max(trailing), status

    def facts(self, facts: Sequence[Fact]) -> None:
        """Nothing: the state carries the last facts."""

    def close(self) -> None:
        """Nothing to put in order."""


def main() -> int:
    """Play the demo once and write the picture; 1 when no position ever trailed."""
    camera = Camera()
    result = play(DemoSettings(once=True), camera, os.environ)
    if camera.best is None:
        print("no position trailed in this demo; try again", file=sys.stderr)
        return 1
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(camera.title, style="dim", highlight=False)
        console.print(render(camera.best, COLUMNS))
        print_summary(result, console)
        form = FONT_FACES.sub("", CONSOLE_SVG_FORMAT).replace("Fira Code", "DejaVu Sans Mono")
        picture = console.export_svg(
            title="./trailstop demo --once",
            theme=DIMMED_MONOKAI,
            code_format=form,
            unique_id="demo",
        )
    PICTURE.write_text(picture, encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
