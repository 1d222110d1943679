"""All pages: links resolve, tables equal the code, nothing names the machine they were made on."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from xml.etree import ElementTree as Xml

import pytest

from tests.docs.pages import PAGES, ROOT, links, prose, read, table
from tools import settings_page
from trailstop.config.catalog import section_settings
from trailstop.domain.position import Phase

SETTINGS = ROOT / "docs" / "settings.md"
PICTURE = ROOT / "docs" / "demo.svg"
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:work|root|tmp|home|Users|opt|mnt)\b")
SOURCE_FILE = re.compile(r"`([a-z_]+/[a-z_/]+\.py)`")
GLOSSARY = ROOT / "GLOSSARY.md"
WORD = re.compile(r"\*\*([^*]+)\*\*")
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def _anchors(text: str) -> set[str]:
    """What a heading is called in an address."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_between_pages_resolve(page):
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} points to {link}, which is not there"
        assert target.is_relative_to(ROOT), f"{page.name} points out of the repository: {link}"
        if anchor:
            assert anchor in _anchors(read(target)), f"{page.name}: no heading for {link}"


@pytest.mark.parametrize("page", [*PAGES, PICTURE], ids=[*NAMES, "docs/demo.svg"])
def test_no_page_names_a_path_of_a_machine(page):
    found = MACHINE_PATH.search(read(page))
    assert found is None, f"{page.name} names {found}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_source_files_that_a_page_names_exist(page):
    for name in SOURCE_FILE.findall(prose(page)):
        places = (ROOT / "src" / "trailstop" / name, ROOT / name)
        assert any(place.is_file() for place in places), f"{page.name} names {name}"


def test_the_settings_page_equals_the_code():
    assert read(SETTINGS) == settings_page.page(), (
        "docs/settings.md is older than the settings: PYTHONPATH=src python tools/settings_page.py"
    )


def test_the_settings_page_has_each_section_of_the_code():
    sections = {section for _, section, _ in settings_page.SECTIONS}
    assert sections == {"trailstop", "account", "policy", "guard", "feed", "paper"}
    names = [row[0].strip("`") for row in table(SETTINGS, "setting")]
    assert names == list(section_settings("trailstop"))


def test_the_architecture_has_the_layers_that_are_checked_in_their_order():
    contracts = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    rank = {
        name.strip(" ()"): number
        for number, line in enumerate(layers)
        for name in line.split("|")
        # A layer in parentheses is optional; some of them are not there yet.
        if (ROOT / "src" / "trailstop" / name.strip(" ()")).exists()
        or (ROOT / "src" / "trailstop" / f"{name.strip(' ()')}.py").exists()
    }
    told = [re.findall(r"`(\w+)`", row[0]) for row in table(ROOT / "ARCHITECTURE.md", "part")]
    names = [name for row in told for name in row]
    assert set(names) == set(rank) - {"__main__"}
    assert [rank[name] for name in names] == sorted(rank[name] for name in names)


def test_the_glossary_has_each_word_once():
    rows = [line for line in read(GLOSSARY).splitlines() if line.startswith("| **")]
    words = Counter(word for row in rows for word in WORD.findall(row.split("|")[1]))
    assert [word for word, count in words.items() if count > 1] == []


def test_the_glossary_names_each_phase():
    (row,) = (line for line in read(GLOSSARY).splitlines() if line.startswith("| **phase**"))
    assert all(phase.name in row for phase in Phase)


def test_the_picture_is_whole_and_fetches_nothing():
    text = read(PICTURE)
    assert Xml.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own file
    assert "url(http" not in text
    assert "TRAILING" in text
