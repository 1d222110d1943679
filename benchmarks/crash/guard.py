"""The guard as a process to be killed: everything is imported, then one line starts it.

    python -m benchmarks.crash.guard

The line on standard input is a JSON list of settings; the keys are in the environment. A
process that waits here stands ready, so that two hundred starts do not cost two hundred imports.
"""

from __future__ import annotations

import json
import os
import sys

from trailstop.commands.parent import end_with_stdin
from trailstop.config import load_config
from trailstop.daemon.process import bootstrap
from trailstop.errors import TrailstopError
from trailstop.observe.log import LogSettings

STDIN = 0
LINE_MAX = 65_536


def main() -> int:
    """Wait for the line, then guard until killed or asked to stop."""
    line = os.read(STDIN, LINE_MAX)
    if not line:
        return 0
    end_with_stdin()
    config = load_config(None, json.loads(line), environ=os.environ)
    try:
        return bootstrap.run(config, log=LogSettings(level=config.general.log_level))
    except TrailstopError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
