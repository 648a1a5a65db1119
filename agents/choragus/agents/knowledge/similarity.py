"""The vectors of one collection in memory, compared all at once; the only module that needs numpy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Vectors:
    """Vectors by the numbers of their documents; those that do not begin with `mark` are left out."""

    def __init__(self, mark: bytes, dimensions: int) -> None:
        self._mark = mark
        self._size = len(mark) + 4 * dimensions
        self._numbers: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._rows: Floats = np.zeros((0, dimensions), dtype=np.float32)

    def add(self, given: Iterable[tuple[int, bytes]]) -> None:
        """Add vectors, with their numbers."""
        fitting = [(number, data) for number, data in given if self._is_ours(data)]
        if not fitting:
            return
        skip = len(self._mark)
        raw = b"".join(data[skip:] for _, data in fitting)
        rows = np.frombuffer(raw, dtype=np.float32).reshape(len(fitting), -1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        self._rows = np.concatenate([self._rows, rows / np.where(lengths > 0, lengths, 1)], dtype=np.float32)
        self._numbers = np.concatenate([self._numbers, np.array([number for number, _ in fitting], dtype=np.int64)])

    def nearest(self, wanted: bytes, limit: int) -> list[tuple[int, float]]:
        """The numbers of the vectors that are most alike, with their cosines, best first; only cosines above 0."""
        if not self._is_ours(wanted) or not len(self._numbers):
            return []
        query = np.frombuffer(wanted[len(self._mark) :], dtype=np.float32)
        length = float(np.linalg.norm(query))
        if not length:
            return []
        cosines = self._rows @ (query / length)
        some = min(limit, len(cosines))
        best = np.argpartition(-cosines, some - 1)[:some]
        order = best[np.lexsort((self._numbers[best], -cosines[best]))]
        return [(int(self._numbers[at]), float(cosines[at])) for at in order if cosines[at] > 0]

    def _is_ours(self, data: bytes) -> bool:
        return len(data) == self._size and data.startswith(self._mark)
