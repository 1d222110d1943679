"""The guard installed alone: what needs the lab says so, and all else goes without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trailstop import cli

HIDES_THE_LAB = f"""
import sys
for name in {cli.LAB_LIBRARIES!r}:
    sys.modules[name] = None
from trailstop.cli import main
sys.exit(main(sys.argv[1:]))
"""


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "-c", HIDES_THE_LAB, *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", ["backtest", "sweep"])
def test_a_command_of_the_lab_says_what_to_install(command, tmp_path):
    options = ["--activation", "1", "--distance", "1"] if command == "sweep" else []
    ended = _run(command, str(tmp_path / "bars.csv"), *options)
    assert ended.returncode == cli.FAILED
    assert ended.stderr.count("\n") == 1
    assert "pip install 'trailstop[lab]'" in ended.stderr


def test_settings_of_another_program_are_read_without_it(tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"stoploss": -0.1, "trailing_stop": true}')
    ended = _run("import", "freqtrade", str(config))
    assert ended.returncode == cli.DONE, ended.stderr
    assert "callback_percent" in ended.stdout
