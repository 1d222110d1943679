"""Who this installation is, in a small file beside the database.

Stops on the exchange carry the installation's tag. Where the database is lost, damaged or taken
back to an earlier state, this file still says which stops are ours, and that something is
missing. It is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from trailstop.storage.checksum import checksum

SUFFIX = ".identity"
IN_MEMORY = ("", ":memory:")


class Identity(Struct, frozen=True, kw_only=True):
    """What the file holds. `sequence` is the journal's newest row when it was written."""

    installation: str
    mode: str
    sequence: int
    check: str = ""

    def sealed(self) -> Identity:
        """The same with its sum."""
        return msgspec.structs.replace(self, check=self._sum())

    @property
    def is_sound(self) -> bool:
        """Whether it is what was written."""
        return self.check == self._sum()

    def _sum(self) -> str:
        return checksum(f"{self.installation} {self.mode} {self.sequence}")


def path_of(file: str) -> Path:
    """Where the identity of a database file lies."""
    return Path(f"{file}{SUFFIX}")


def read_identity(file: str) -> Identity | None:
    """The identity beside a database, None where there is none that can be trusted."""
    if file in IN_MEMORY:
        return None
    try:
        found = msgspec.json.decode(path_of(file).read_bytes(), type=Identity)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found.is_sound else None


def write_identity(file: str, identity: Identity) -> None:
    """Put the identity beside a database. Raises: OSError; the old one then stays."""
    if file in IN_MEMORY:
        return
    path = path_of(file)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as handle:
            handle.write(msgspec.json.encode(identity.sealed()))
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
