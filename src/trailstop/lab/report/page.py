"""One self-contained HTML page: no file beside it, nothing from the network.

Scripts and styles stand in the page, plotly.js (MIT licence) among them; the page's own
content policy forbids the browser to ask anybody for anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec

from trailstop.lab.report.document import write

ASSETS: Final = resources.files("trailstop.lab.report") / "assets"
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)


def page(title: str, body: str, *, data: Any, script: str) -> str:
    """A whole page: `body` is HTML, `data` anything that JSON can say, `script` names an asset.

    The script finds `data` in the global `DATA` and the helpers of `common.js`. Everything in
    `body` that comes from elsewhere must be escaped (`html.escape`).
    """
    # 5 MB that only pages ask for; the library has no type hints.
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # noqa: PLC0415

    # An HTML parser ends a script at "</", wherever it stands.
    encoded = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_POLICY}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="color-scheme" content="light dark">\n',
            f"<title>{escape(title)}</title>\n<style>\n{asset('page.css')}</style>\n</head>\n",
            f"<body>\n{body}\n",
            "<noscript><p>Figures and pictures of this page are drawn by its own JavaScript, ",
            "which your browser does not run.</p></noscript>\n",
            f'<script type="application/json" id="data">{encoded}</script>\n',
            f"<script>{get_plotlyjs()}</script>\n",
            f"<script>\n{asset('common.js')}{asset(script)}</script>\n</body>\n</html>\n",
        )
    )


def asset(name: str) -> str:
    """A style or script of this folder."""
    return (ASSETS / name).read_text(encoding="utf-8")


def warnings_box(warnings: Sequence[str]) -> str:
    """A box that cannot be overlooked; nothing where there is nothing to warn of."""
    if not warnings:
        return ""
    lines = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return (
        f'<section class="warnings" role="alert"><h2>Read this first</h2><ul>{lines}</ul></section>'
    )


def facts(rows: list[tuple[str, str | list[str]]]) -> str:
    """A list of terms and what they are; several lines where there are several."""
    items = []
    for term, told in rows:
        lines = [told] if isinstance(told, str) else told
        if lines:
            text = "<br>".join(escape(line) for line in lines)
            items.append(f"<dt>{escape(term)}</dt><dd>{text}</dd>")
    return f'<dl class="facts">{"".join(items)}</dl>'


def write_page(html: str, file: Path) -> None:
    """Write a page. Raises: DataError where it cannot be written."""
    write(file, html.encode())
