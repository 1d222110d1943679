"""Files of prices as bytes or text, unpacked while they are read."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO, cast

from trailstop.errors import DataError


@contextmanager
def opened_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes; `.gz` and `.zip` (with one file inside) are unpacked while reading.

    Raises DataError, one line, where the file is not there or cannot be read, also while the
    caller reads it.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
                if len(names) != 1:
                    raise DataError(f"{path}: an archive must hold one file, this has {len(names)}")
                with archive.open(names[0]) as raw:
                    yield raw
        elif path.suffix == ".gz":
            with gzip.open(path, "rb") as packed:
                yield cast("IO[bytes]", packed)
        else:
            with path.open("rb") as plain:
                yield plain
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file; give CSV, as it is or in .gz or .zip") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from error


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The file's text, as `opened_bytes` gives its bytes, without a mark of its encoding."""
    with opened_bytes(path) as raw:
        yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
