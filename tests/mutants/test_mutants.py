"""Each mutant, switched on alone in a copy of the source, makes its tests fail."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.mutants.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
PASSED, FAILED = 0, 1
"""Exit states of pytest; the others are an error of the run, which kills no mutant."""
PATIENCE_S = 110
WHOLE_CHAIN = ("tests/acceptance/", "tests/failure_modes/")
"""Tests from the exchange to the exchange; the others are unit tests."""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(mutant: Mutant, tmp_path: Path) -> None:
    assert any(test.startswith(WHOLE_CHAIN) for test in mutant.tests)
    source = _copy(tmp_path)
    _switch_on(mutant, source)
    run = _run(mutant.tests, source)
    assert run.returncode == FAILED, f"{mutant.name}: {run.returncode}\n{run.stdout}{run.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS}), ids=" ".join)
def test_the_same_tests_pass_without_a_mutant(tests: tuple[str, ...], tmp_path: Path) -> None:
    run = _run(tests, _copy(tmp_path))
    assert run.returncode == PASSED, f"{run.stdout}{run.stderr}"


def test_there_are_eighteen_mutants() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == 18


def _copy(folder: Path) -> Path:
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    return source


def _switch_on(mutant: Mutant, source: Path) -> None:
    file = source / mutant.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1, (
        f"{mutant.name}: {mutant.file} holds the old text {text.count(mutant.old)} times; bring "
        f"mutants.py up to date"
    )
    text = text.replace(mutant.old, mutant.new)
    compile(text, mutant.file, "exec")
    file.write_text(text, encoding="utf-8")


def _run(tests: Iterable[str], source: Path) -> subprocess.CompletedProcess[str]:
    """Run tests on this source; the test run's own setting would put the original first."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-x", "-q", "-p", "no:cacheprovider", "--show-capture=no", "--timeout=0"]
    folders = f"pythonpath={shlex.quote(str(source))} ."
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-o", folders, *tests],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
