"""The log: its form, what it masks, how large it grows."""

import io
import json
import logging

import pytest
import structlog

from trailstop.errors import StoreError
from trailstop.observe.log import LogSettings, configure

AT_MS = 1_790_000_000_123


@pytest.fixture(autouse=True)
def _own_logging():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def written(settings: LogSettings, secrets=()) -> tuple[structlog.stdlib.BoundLogger, io.StringIO]:
    stream = io.StringIO()
    configure(settings, secrets=secrets, now_ms=lambda: AT_MS, stream=stream)
    return structlog.get_logger("trailstop.venue"), stream


def test_a_line_for_people():
    log, stream = written(LogSettings())
    log.bind(account="main").info("trailing stop created", price="61234.5", why="new peak")
    assert stream.getvalue() == (
        "2026-09-21 14:13:20,123 - trailstop.venue - INFO - trailing stop created "
        'account=main price=61234.5 why="new peak"\n'
    )


def test_a_line_for_machines():
    log, stream = written(LogSettings(format="json"))
    log.warning("silent", symbol="BTCUSDT")
    line = json.loads(stream.getvalue())
    assert line["at"] == "2026-09-21T14:13:20.123Z"
    assert (line["event"], line["level"], line["symbol"]) == ("silent", "warning", "BTCUSDT")


def test_secrets_are_masked_by_name_and_wherever_they_stand():
    log, stream = written(LogSettings(), secrets=["topsecret99"])
    log.info(
        "sent topsecret99",
        api_key="abc",
        url="http://x/y?symbol=BTCUSDT&signature=deadbeef",
        inner={"listenKey": "abc", "note": "topsecret99"},
        error=ValueError("topsecret99"),
    )
    logging.getLogger("other").warning("library says %s", "topsecret99")
    try:
        raise RuntimeError("topsecret99")
    except RuntimeError:
        log.exception("failed")
    text = stream.getvalue()
    assert "topsecret99" not in text
    assert "deadbeef" not in text
    assert "abc" not in text
    assert "symbol=BTCUSDT" in text
    assert "Traceback" in text


def test_the_level_is_kept():
    log, stream = written(LogSettings(level="warning"))
    log.info("small talk")
    assert stream.getvalue() == ""


def test_files_are_put_aside_and_bounded(tmp_path):
    file = tmp_path / "logs" / "trailstop.log"
    log, _ = written(LogSettings(file=file, file_max_mb=1, files=2, console=False))
    for _ in range(5):
        for _ in range(400):
            log.info("x" * 2_500)
    names = sorted(path.name for path in file.parent.iterdir())
    assert names == ["trailstop.log", "trailstop.log.1", "trailstop.log.2"]
    assert sum(path.stat().st_size for path in file.parent.iterdir()) < 3_100_000


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another"):
        written(LogSettings(file=tmp_path / "file" / "trailstop.log"))
