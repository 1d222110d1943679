"""`--cases FILE` and the closing count of published cases."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conformance import cases

CASE_TEST = "test_published_case"
CASE_FILE = "tests/conformance/test_cases.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cases",
        action="append",
        type=Path,
        metavar="FILE",
        help="run the published cases of FILE instead of the samples (repeatable)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.function.__name__ != CASE_TEST:
        return
    # The option is unknown where this folder was not named on the command line.
    files = getattr(metafunc.config.option, "cases", None) or cases.sample_files()
    try:
        found = [(path, case) for path in files for case in cases.read(path)]
    except cases.UnreadableCases as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(
        "case",
        [pytest.param(case, id=f"{path.stem}-{case.get('id', '?')}") for path, case in found],
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Close with the count of cases, after all that pytest itself has to say."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return result
    counted = {
        verdict: [
            report.nodeid.partition("[")[2].removesuffix("]")
            for report in reporter.stats.get(verdict, [])
            if f"{CASE_TEST}[" in report.nodeid
        ]
        for verdict in ("passed", "failed", "error")
    }
    everything = [report for reports in reporter.stats.values() for report in reports]
    alone = all(
        CASE_FILE in (getattr(report, "nodeid", None) or CASE_FILE) for report in everything
    )
    if not alone or not any(counted.values()):
        return result
    failed = len(counted["failed"]) + len(counted["error"])
    reporter.write_line(f"{len(counted['passed'])} passed, {failed} failed")
    return result
