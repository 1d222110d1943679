"""The table of failure modes that `--table` prints when a run is over."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from textwrap import shorten

import pytest

from tests.failure_modes.catalogue import MODES, SECTIONS, Mode, mode_of
from tests.failure_modes.stories import StoryClocks, distribution, from_properties

NARROW = 110
"""Columns where the output is no terminal, or a small one."""
NAME_WIDTH = 30
STATE_WIDTH = 20
NOT_ENOUGH_ROOM = 20


class ModesTable:
    """Collects what became of each test, and tells it by mode."""

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, str]] = {}
        """Outcome of each test, by mode and by the test's own name."""
        self._stories: list[StoryClocks] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test; a failure of any phase is a failure."""
        *_, name = report.nodeid.split("::")
        mode = mode_of(name.partition("[")[0])
        if mode is None:
            return
        tests = self._outcomes.setdefault(mode.name, {})
        if report.when == "call" or report.outcome != "passed":
            known = tests.get(report.nodeid, "passed")
            tests[report.nodeid] = report.outcome if known == "passed" else known
        if report.when == "call":
            self._stories += from_properties(report.user_properties)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Print after everything else; a mode that failed makes the run fail."""
        result = yield
        writer = session.config.get_terminal_writer()
        for line in self.lines():
            writer.line(line)
        if self.failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return result

    @property
    def failed(self) -> list[Mode]:
        """Modes that a test has failed for, or that no test has shown to be met."""
        return [mode for mode in MODES if self._state(mode) == "FAILED"]

    def lines(self) -> Iterator[str]:
        """The table, the clocks of all stories and the count of modes."""
        room = max(NARROW, shutil.get_terminal_size().columns)
        for section, modes in SECTIONS.items():
            yield ""
            yield section
            for mode in modes:
                yield self._line(mode, room)
        yield ""
        yield "Clocks of protection, milliseconds"
        yield from distribution(self._stories)
        yield ""
        later = [mode for mode in MODES if mode.state == "later"]
        names = ", ".join(mode.name for mode in later)
        yield f"{len(later)} left to later issues: {names}"
        failed = self.failed
        yield f"{len(MODES) - len(later) - len(failed)} passed, {len(failed)} failed"

    def _state(self, mode: Mode) -> str:
        if mode.state == "later":
            return "later"
        outcomes = self._outcomes.get(mode.name, {}).values()
        if "failed" in outcomes or "passed" not in outcomes:
            return "FAILED"
        return "impossible, proven" if mode.state == "impossible" else "passed"

    def _line(self, mode: Mode, room: int) -> str:
        state = self._state(mode)
        tests = self._outcomes.get(mode.name, {})
        says = ", ".join(dict.fromkeys(_short(mode, nodeid) for nodeid in tests))
        if mode.state != "tested":
            says = f"{mode.why}{'; ' if says else ''}{says}"
        if state == "FAILED":
            bad = [nodeid for nodeid, outcome in tests.items() if outcome == "failed"]
            says = f"{len(bad)} failed, the first {bad[0]}" if bad else "no test has passed"
        head = f"  {mode.name:<{NAME_WIDTH}}{state:<{STATE_WIDTH}}{len(tests):>4}  "
        if state == "FAILED":
            return head + says
        return head + shorten(says, max(NOT_ENOUGH_ROOM, room - len(head)), placeholder=" …")


def _short(mode: Mode, nodeid: str) -> str:
    """A test's own words, without file, mode and parameters."""
    *_, name = nodeid.split("::")
    words = name.partition("[")[0].removeprefix(mode.prefix).strip("_").replace("_", " ")
    return words or "its story"
