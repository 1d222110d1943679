"""Commands as a person runs them: exit statuses are a contract, errors are one line."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from trailstop.cli import main
from trailstop.daemon.talk.status import VERSION

ROOT = Path(__file__).parents[2]
KEYS = {"TRAILSTOP_PAPER_KEY_MAIN": "k", "TRAILSTOP_PAPER_SECRET_MAIN": "s"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home and folder, and none of the caller's settings."""
    for name in list(os.environ):
        if name.startswith(("TRAILSTOP", "BINANCE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The real program in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, "-m", "trailstop", *arguments],
        capture_output=True,
        text=True,
        env=environ,
        timeout=60,
        check=False,
    )


def one_line(text: str) -> str:
    assert text.startswith("trailstop: ") or "\n" not in text.strip()
    assert text.count("\n") == 1
    return text


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        pytest.param(["launch"], 2, "No such command", id="unknown command"),
        pytest.param(["demo", "--speed", "fast"], 2, "--speed", id="wrong option"),
        pytest.param(["demo", "--from", "soon"], 2, "2021-05-19", id="wrong time"),
        pytest.param(["demo", "--for", "long"], 2, "90s", id="wrong duration"),
        pytest.param(["tighten", "BTCUSDT", "up"], 2, "no price", id="wrong price"),
        pytest.param(["paper", "--data", "x", "--generate", "1"], 2, "not both", id="two sources"),
        pytest.param(["run"], 3, "trailstop config init", id="nothing configured"),
        pytest.param(["run", "--config", "none.toml"], 3, "does not exist", id="missing file"),
        pytest.param(["run", "--set", "trailstop.mode=live"], 3, "paper alone", id="other mode"),
        pytest.param(
            ["run", "--set", "accounts.main.rest_url=https://exchange.example"],
            3,
            "local paper exchange",
            id="other address",
        ),
        pytest.param(["demo", "--set", "policy.x=1"], 3, "unknown setting", id="unknown setting"),
        pytest.param(["config", "check"], 3, "no account", id="nothing to check"),
        pytest.param(["status"], 4, "trailstop run", id="no daemon to show"),
        pytest.param(["events", "--follow"], 4, "trailstop run", id="no daemon to follow"),
        pytest.param(["close", "BTCUSDT"], 4, "trailstop run", id="no daemon to tell"),
        pytest.param(["status", "--check"], 4, "trailstop run", id="no daemon to check"),
        pytest.param(["db", "check"], 1, "no database", id="no database"),
    ],
)
def test_exit_statuses_and_one_line_errors(home, capsys, arguments, status, says):
    assert main(arguments) == status
    said = capsys.readouterr()
    assert says in one_line(said.err)
    assert said.out == ""


def test_the_real_program_says_the_same(home):
    answer = run("run", "--set", "policy.calback_percent=1")
    assert answer.returncode == 3
    assert one_line(answer.stderr).endswith("did you mean callback_percent?\n")
    assert "Traceback" not in answer.stderr


def test_every_command_has_help_with_an_example(home, capsys):
    for command in (
        ["demo"], ["run"], ["paper"], ["status"], ["events"], ["pause"], ["resume"], ["tighten"],
        ["close"], ["ignore"], ["config", "show"], ["config", "check"], ["config", "init"], ["config", "list"],
        ["db", "path"], ["db", "info"], ["db", "check"], ["db", "backup"],
    ):  # fmt: skip
        assert main([*command, "--help"]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "Example: " in text, command
        assert f"trailstop {' '.join(command)}" in text, command


def test_help_is_quick_and_loads_nothing_heavy(home):
    code = (
        "import sys; from trailstop.cli import main; status = main(['--help']); "
        "heavy = {'aiohttp', 'sqlalchemy', 'alembic', 'trailstop.paper.world'} & set(sys.modules); "
        "sys.exit(status or len(heavy))"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False).returncode == 0
    assert time.monotonic() - began < 5


def test_without_a_command_it_shows_the_help(home, capsys):
    assert main([]) == 2
    assert "Usage: trailstop" in capsys.readouterr().err


def test_the_version_is_the_package_s(home, capsys):
    assert main(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out == f"trailstop {project['version']}\n"
    assert project["version"] == VERSION


def test_a_wrong_address_exits_5_and_changes_nothing(home, capsys, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    answer = run("run", "--quiet", "--set", f"accounts.main.rest_url=http://127.0.0.1:{port}")
    assert answer.returncode == 5
    assert f"127.0.0.1:{port}" in answer.stderr.splitlines()[-1]
    assert not (home / ".local/share/trailstop/daemon.json").exists()


def test_an_occupied_port_exits_1_with_one_line(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = run("paper", "--binance-port", port, "--control-port", "0", "--generate", "1")
    assert answer.returncode == 1
    assert port in one_line(answer.stderr)
    assert answer.stdout == ""


def test_unreadable_prices_exit_1_with_one_line_that_names_the_file(home):
    (home / "BTCUSDT-1m.csv").write_text("what,is,this\n1,2,3\n")
    answer = run("paper", "--binance-port", "0", "--control-port", "0", "--data", "BTCUSDT-1m.csv")
    assert answer.returncode == 1
    assert "BTCUSDT-1m.csv" in one_line(answer.stderr)
    answer = run("demo", "--once", "--data", "BTCUSDT-1m.csv")
    assert answer.returncode == 1
    assert "BTCUSDT-1m.csv" in answer.stderr.splitlines()[-1]


def test_config_show_names_the_source_of_each_value(home, capsys, monkeypatch):
    monkeypatch.setenv("TRAILSTOP__POLICY__CALLBACK_PERCENT", "0.25")
    assert main(["config", "show", "--set", "guard.adopt=none"]) == 0
    rows = dict(line.split(" = ", 1) for line in capsys.readouterr().out.splitlines())
    assert rows["policy.callback_percent"].split() == [
        "0.25", "#", "TRAILSTOP__POLICY__CALLBACK_PERCENT",
    ]  # fmt: skip
    assert rows["guard.adopt"].split()[0] == '"none"'
    assert rows["policy.initial_stop_percent"].split() == ["2.0", "#", "default"]


def test_config_init_writes_a_file_that_config_check_takes(home, capsys, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    assert main(["config", "init"]) == 0
    assert main(["config", "check"]) == 0
    assert "accounts main" in capsys.readouterr().out
    before = Path("trailstop.toml").read_text()
    assert main(["config", "init"]) == 3
    assert Path("trailstop.toml").read_text() == before


def test_db_tells_checks_and_copies_a_database(home, capsys):
    file = home / "own.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        database.execute("INSERT INTO meta VALUES ('mode', 'paper')")
    database.close()
    chosen = ["--set", f"trailstop.database={file}"]
    assert main(["db", "path", *chosen]) == 0
    assert main(["db", "info", *chosen]) == 0
    assert main(["db", "check", *chosen]) == 0
    assert main(["db", "backup", "copy.db", *chosen]) == 0
    assert "mode: paper" in capsys.readouterr().out
    copy = sqlite3.connect("copy.db")
    assert copy.execute("SELECT value FROM meta").fetchone() == ("paper",)
    copy.close()
    assert main(["db", "backup", "copy.db", *chosen]) == 1
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    capsys.readouterr()
    assert main(["db", "check", *chosen]) == 1
    assert "a running Trailstop uses" in capsys.readouterr().err
    holder.close()
    file.write_bytes(b"this is no database at all" * 100)
    assert main(["db", "check", *chosen]) == 1
    assert "no sound database" in capsys.readouterr().err
