"""`trailstop forecast`: for a position that is thought of, and for those of a running guard."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tests.daemon.support import ENTRY, Scene, play
from trailstop.commands.forecast import forecast
from trailstop.daemon.talk.client import DaemonClient
from trailstop.errors import ConfigError, DataError, NotRunning
from trailstop.lab.data.synthetic import synthetic_bars

D = Decimal
app = typer.Typer()
app.command()(forecast)
NEW = ("--symbol", "BTCUSDT", "--side", "long", "--entry", "10000", "--tick", "0.1")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def told(*arguments: str) -> dict[str, object]:
    answer = run(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert isinstance(found, dict)
    return found


def test_a_peak_and_back_as_a_table() -> None:
    answer = run(*NEW, "--peak", "10180", "--back", "10080")
    assert answer.exit_code == 0
    for words in ("long BTCUSDT", "initial stop: 2 % from entry 10 000", "10 129.1", "+119.04"):
        assert words in answer.output


def test_json_has_prices_as_text_and_times_in_milliseconds() -> None:
    found = told(*NEW, "--to", "+1.8%", "--over", "10m")
    rows = found["rows"]
    assert isinstance(rows, list)
    assert rows[0]["live_stop"] == "9800.0"
    assert rows[-1]["price"] == "10180.0"
    assert rows[-1]["at_ms"] - rows[0]["at_ms"] == 600_000
    assert found["end"]["cause"] == "open"  # type: ignore[index]


def test_settings_hold_as_everywhere_else() -> None:
    found = told(*NEW, "--set", "policy.initial_stop_percent=1", "--to=-3%")
    assert (found["end"]["cause"], found["end"]["price"]) == ("initial_stop", "9900.0")  # type: ignore[index]


def test_a_list_of_prices_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("time,price\n1790000000000,10000\n1790000060000,10200\n1790000120000,10100\n")
    found = told(*NEW, "--prices", str(file))
    rows = found["rows"]
    assert isinstance(rows, list)
    assert max(D(row["price"]) for row in rows) == 10_200
    assert found["end"]["price"] == "10149.0"  # type: ignore[index]
    file.write_text("10000\n10100\n")
    assert told(*NEW, "--prices", str(file), "--over", "1m")["end"]["price"] == "10100"  # type: ignore[index]


def test_paths_by_chance_from_recorded_bars(tmp_path: Path) -> None:
    file = tmp_path / "BTCUSDT-1m.csv"
    made = synthetic_bars(1, 600, start_price=D(10_000))
    rows = zip(made.open_ms, made.open, made.high, made.low, made.close, strict=True)
    lines = [",".join(map(str, (at_ms, *(int(p) / 10 for p in prices)))) for at_ms, *prices in rows]
    file.write_text("timestamp,open,high,low,close\n" + "\n".join(lines))
    for method in ("walk", "blocks"):
        chance = ("--simulate", "30", "--data", str(file), "--method", method)
        found = told(*NEW, *chance)
        assert found["paths"] == 30
        assert sum(end["count"] for end in found["ends"]) == 30  # type: ignore[attr-defined]
        assert found == {**told(*NEW, *chance), "rows": found["rows"]}
        answer = run(*NEW, *chance)
        assert "of the paths lose nothing" in answer.output


def test_the_page_has_the_figures_and_asks_nobody(tmp_path: Path) -> None:
    file = tmp_path / "forecast.html"
    assert run(*NEW, "--to", "10180", "--html", str(file)).exit_code == 0
    page = file.read_text()
    assert "long BTCUSDT" in page
    assert '"live_stop":"10129.1"' not in page  # it is held by pacing, as the table says
    assert '"exact_stop":"10129.1"' in page
    assert "<link" not in page
    assert 'src="http' not in page


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--symbol", "BTCUSDT"), "--entry"),
        ((*NEW, "--to", "1", "--prices", "x"), "give one path"),
        ((*NEW, "--peak", "1"), "--peak and --back go together"),
        ((*NEW, "--to", "abc"), "must be a number"),
        ((*NEW, "--to=-100%"), "no price above 0"),
        ((*NEW, "--simulate", "5"), "--simulate and --data go together"),
        (("--running", "--symbol", "BTCUSDT"), "use --leg"),
        ((*NEW[:-1], "0"), "must be above 0"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments: tuple[str, ...], says: str) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert says in " ".join(answer.output.replace("│", " ").split())


def test_errors_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("10000\nten\n")
    error = run(*NEW, "--prices", str(file)).exception
    assert isinstance(error, DataError)
    assert str(error) == f"{file}, line 2: 'ten' is no price"
    error = run(*NEW, "--to", "10000").exception
    assert isinstance(error, ConfigError)
    away = run("--running", "--set", f"trailstop.data_dir={tmp_path}").exception
    assert isinstance(away, NotRunning)


def test_the_open_position_of_a_running_guard_is_led_on_from_where_it_is(tmp_path: Path) -> None:
    """It trails behind 10 180 with its stop at 10 129.1: the forecast begins there."""
    answers: list[Result] = []

    async def story(scene: Scene) -> None:
        await scene.until(2.5)
        scene.open()
        await scene.until(20.5)
        here = ("--set", f"trailstop.data_dir={scene.data}")
        at_rest = await asyncio.to_thread(DaemonClient(scene.data).trails)
        assert [now.trail.peak for now in at_rest] == [D("10180.0")]
        assert scene.daemon is not None
        assert at_rest[0].trail == scene.daemon.facade.trails()[0].trail
        for path in (("--to=-1%",), ("--to", "+1%", "--leg", "main/BTCUSDT"), ("--leg", "ETHUSDT")):
            arguments = ("--running", *path, "--json", *here)
            answers.append(await asyncio.to_thread(run, *arguments))

    play(tmp_path, [(0, str(ENTRY)), (5, "10080.0"), (10, "10180.0")], story)
    down, up, nobody = answers
    (found,) = json.loads(down.stdout)
    assert found["leg"]["symbol"] == "BTCUSDT"
    assert found["rows"][0]["live_stop"] == "10129.1"
    assert found["rows"][0]["phase"] == "active"
    assert (found["end"]["cause"], found["end"]["price"]) == ("trail", "10129.1")
    assert D(found["end"]["net"]) > 0
    (found,) = json.loads(up.stdout)
    assert found["end"]["cause"] == "open"
    assert found["peak"] == "10281.8"
    assert D(found["rows"][-1]["live_stop"]) > D("10129.1")
    assert isinstance(nobody.exception, ConfigError)
    assert "main/binance/BTCUSDT" in str(nobody.exception)
