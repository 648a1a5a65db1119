"""The vectors of one collection in memory, compared all at once; the only module that needs numpy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


class Vectors:
    """Vectors by the numbers of their documents; those that do not begin with `mark` are left out.

    While one thread adds, another may look: what is there stays where it is.
    """

    def __init__(self, mark: bytes, dimensions: int) -> None:
        self._mark = mark
        self._size = len(mark) + 4 * dimensions
        self._room: tuple[Numbers, Floats] = (np.zeros(0, dtype=np.int64), np.zeros((0, dimensions), dtype=np.float32))
        self._held = self._room

    def add(self, given: Iterable[tuple[int, bytes]]) -> None:
        """Add vectors, with their numbers."""
        fitting = [(number, data) for number, data in given if self._is_ours(data)]
        if not fitting:
            return
        skip, before = len(self._mark), len(self._held[0])
        rows = np.frombuffer(b"".join(data[skip:] for _, data in fitting), dtype=np.float32).reshape(len(fitting), -1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        after = before + len(fitting)
        self._make_room(after)
        numbers, places = self._room
        numbers[before:after] = [number for number, _ in fitting]
        places[before:after] = rows / np.where(lengths > 0, lengths, 1)
        self._held = (numbers[:after], places[:after])

    def _make_room(self, size: int) -> None:
        """Twice as much as before where it is too little, so that adding one by one copies each a few times only."""
        numbers, rows = self._room
        if size > len(numbers):
            more = max(size, 2 * len(numbers)) - len(numbers)
            added = (np.zeros(more, dtype=np.int64), np.zeros((more, rows.shape[1]), dtype=np.float32))
            self._room = (np.concatenate([numbers, added[0]]), np.concatenate([rows, added[1]]))

    def nearest(self, wanted: bytes, limit: int) -> list[tuple[int, float]]:
        """The numbers of the vectors that are most alike, with their cosines, best first; only cosines above 0."""
        numbers, rows = self._held
        if not self._is_ours(wanted) or not len(numbers):
            return []
        query = np.frombuffer(wanted[len(self._mark) :], dtype=np.float32)
        length = float(np.linalg.norm(query))
        if not length:
            return []
        cosines = rows @ (query / length)
        some = min(limit, len(cosines))
        best = np.argpartition(-cosines, some - 1)[:some]
        order = best[np.lexsort((numbers[best], -cosines[best]))]
        return [(int(numbers[at]), float(cosines[at])) for at in order if cosines[at] > 0]

    def _is_ours(self, data: bytes) -> bool:
        return len(data) == self._size and data.startswith(self._mark)
