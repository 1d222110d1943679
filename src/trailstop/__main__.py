"""`python -m trailstop` is the command line."""

import sys

from trailstop.cli import main

if __name__ == "__main__":
    sys.exit(main())
