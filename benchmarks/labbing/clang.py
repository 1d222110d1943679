"""The plain C loops that the lab is measured against, compiled when the benchmark starts."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np

from trailstop.errors import TrailstopError

SOURCE = Path(__file__).with_name("scan.c")


class PlainC:
    """`scan.c` as functions of arrays. Prices are float64 there, as in any such loop."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise TrailstopError("no C compiler to measure against; install gcc")
        library = folder / "scan.so"
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library)], check=True)
        self._code = ctypes.CDLL(str(library))

    def bars(
        self, prices: dict[str, np.ndarray], entries: np.ndarray, exits: np.ndarray,
        activation: float, distance: float,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Index and price of each exit."""
        index, price = np.empty(len(entries), dtype=np.int64), np.empty(len(entries))
        self._code.scan_bars(
            *(_at(prices[name]) for name in ("open", "high", "low", "close")),
            _at(entries), _at(exits), ctypes.c_int64(len(entries)),
            ctypes.c_double(activation), ctypes.c_double(distance), _at(index), _at(price),
        )  # fmt: skip
        return index, price

    def grid(
        self, prices: dict[str, np.ndarray], entries: np.ndarray, exits: np.ndarray,
        activations: np.ndarray, distances: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Summed return and summed exit index of each cell."""
        shape = (len(activations), len(distances))
        sums, indexes = np.empty(shape), np.empty(shape, dtype=np.int64)
        self._code.scan_grid(
            *(_at(prices[name]) for name in ("open", "high", "low", "close")),
            _at(entries), _at(exits), ctypes.c_int64(len(entries)),
            _at(activations), ctypes.c_int64(len(activations)),
            _at(distances), ctypes.c_int64(len(distances)), _at(sums), _at(indexes),
        )  # fmt: skip
        return sums, indexes

    def bids(
        self, bid: np.ndarray, entries: np.ndarray, exits: np.ndarray, distance: float
    ) -> np.ndarray:
        """Index of each exit of the job on ticks."""
        index = np.empty(len(entries), dtype=np.int64)
        self._code.scan_bids(
            _at(bid), _at(entries), _at(exits), ctypes.c_int64(len(entries)),
            ctypes.c_double(0.0), ctypes.c_double(distance), _at(index),
        )  # fmt: skip
        return index


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
