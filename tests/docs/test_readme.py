"""What the README shows is there, and does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import get_args

import msgspec
import pytest
import typer

from tests.docs.pages import PAGES, README, ROOT, blocks, commands, mentioned, read, table
from trailstop import cli
from trailstop.commands import status
from trailstop.config.config import load_config
from trailstop.config.keys import own_key_name, own_secret_name
from trailstop.demo.result import DemoResult
from trailstop.domain.position import Cause
from trailstop.paper.control_acts import ACTS
from trailstop.paper.trouble.faults import Fault
from trailstop.paper.trouble.kinds import FaultKind
from trailstop.paper.trouble.plan import decode_plan

BENCH, TEST, CHECK = "bench", "test", "check"
BOOTSTRAP = (BENCH, TEST, CHECK, "fmt")
SHOWN = list(dict.fromkeys(line for page in PAGES for line in commands(page)))
NAMED = sorted({line for page in PAGES for line in mentioned(page)})
STATUSES = {
    cli.DONE,
    cli.FAILED,
    cli.USAGE,
    cli.CONFIGURATION,
    cli.NOT_RUNNING,
    cli.UNREACHABLE,
    status.UNPROTECTED,
    cli.INTERRUPTED,
}


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def test_it_opens_with_the_two_commands():
    assert blocks(README, "sh")[0] == "./trailstop demo\n./trailstop test\n"
    assert read(README).startswith("# Trailstop\n\n```sh\n")


def test_each_python_example_prints_what_the_page_says():
    examples, printed = blocks(README, "python"), blocks(README, "text")
    assert len(examples) == 2
    for example, text in zip(examples, printed, strict=True):
        assert _python("-c", example).stdout == text


def test_commands_are_shown():
    assert "demo" in SHOWN
    assert len(SHOWN) > len(BOOTSTRAP)


@pytest.mark.parametrize("line", [one for one in SHOWN if one.split()[0] not in BOOTSTRAP])
def test_a_command_of_the_product_exists_with_its_options(line):
    command = typer.main.get_command(cli.app)
    arguments = shlex.split(line)
    while hasattr(command, "commands"):
        assert arguments, f"{line} stops before its command"
        assert arguments[0] in command.commands, f"there is no command {arguments[0]}"
        command = command.commands[arguments.pop(0)]
    # Parses options and arguments as a start would, and runs nothing.
    command.make_context("trailstop", arguments)


@pytest.mark.parametrize("line", [one for one in NAMED if one.split()[0] not in BOOTSTRAP])
def test_a_command_that_a_sentence_names_exists(line):
    command = typer.main.get_command(cli.app)
    arguments = shlex.split(line)
    while arguments and hasattr(command, "commands"):
        assert arguments[0] in command.commands, f"there is no command {arguments[0]}"
        command = command.commands[arguments.pop(0)]
    if arguments:
        command.make_context("trailstop", arguments)


@pytest.mark.parametrize("line", [one for one in SHOWN if one.split()[0] in BOOTSTRAP])
def test_a_command_of_the_bootstrap_exists_with_its_options(line):
    name, *arguments = shlex.split(line)
    assert f"\n    {name}) " in read(ROOT / "trailstop")
    paths = [one for one in arguments if "/" in one]
    assert all((ROOT / path).exists() for path in paths), f"{line} names a path that is not there"
    options = [one for one in arguments if one.startswith("--")]
    if name == BENCH:
        known = _python("-m", f"benchmarks.{arguments[0]}", "--help").stdout
        assert all(option in known for option in options)
    elif name == TEST and options:
        known = "".join(read(ROOT / path / "conftest.py") for path in paths)
        assert all(f'"{option}"' in known for option in options)
    else:
        assert not options


def test_each_exit_status_is_told():
    rows = table(README, "status")
    assert {int(number) for number, _ in rows} == STATUSES


def test_each_figure_is_one_that_the_demo_prints():
    names = {cell.strip("`") for cell, _ in table(README, "figure")}
    assert names <= {field.name for field in msgspec.structs.fields(DemoResult)}
    clocks = {"unprotected_ms", "loosened_ms", "first_stop_ms", "size_lag_ms"}
    assert names == clocks | {"loosened", "duplicates", "orphans"}


def test_each_cause_of_an_end_is_told():
    named = [name for cell, _ in table(README, "cause") for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(cause.value for cause in Cause)


@pytest.mark.parametrize("text", blocks(README, "toml"))
def test_settings_that_are_shown_are_accepted(text, tmp_path):
    file = tmp_path / "trailstop.toml"
    file.write_text(text, encoding="utf-8")
    names = re.findall(r"^\[accounts\.(\w+)\]", text, re.MULTILINE)
    keys = [name(account) for account in names for name in (own_key_name, own_secret_name)]
    config = load_config(file, environ={name: f"{name}-1" for name in keys})
    assert [account.name for account in config.accounts] == names


def test_what_a_person_is_shown_to_do_is_understood_by_the_paper_exchange():
    shown = re.findall(r"-d '(.+?)' http://127.0.0.1:\d+/control/(\S+)", read(README))
    assert shown
    for body, act in shown:
        kind, _ = ACTS[act]
        assert msgspec.json.decode(body, type=kind)


def test_the_fault_and_the_plan_that_are_shown_are_accepted():
    fault, plan = blocks(README, "json")
    assert msgspec.json.decode(fault, type=Fault).kind == "unknown"
    assert len(decode_plan(plan.encode()).items) > 1


def test_each_kind_of_fault_is_named():
    kinds = set(get_args(FaultKind))
    named = {name for _, cell in table(README, "faults") for name in re.findall(r"`(\w+)`", cell)}
    assert named == {name for kind in kinds for name in (get_args(kind) or (kind,))}
