"""Texts as vectors, so that what is meant alike lies close together."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain
from typing import Protocol, runtime_checkable

from attrs import field, frozen

_WORD = re.compile(r"[^\W_]+")
_MARK = 8
"""Bytes before a stored vector that say whose it is."""


@runtime_checkable
class Embedder(Protocol):
    """Makes vectors of texts. Vectors of one name are compared with each other, and with no others."""

    @property
    def name(self) -> str:
        """Another one whenever the same text would give another vector."""
        ...

    @property
    def dimensions(self) -> int:
        """The length of each vector."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order; it may wait, and raise."""
        ...


def _check_dimensions(owner: object, attribute: object, value: object) -> None:
    if type(value) is not int or not 1 <= value <= 100_000:
        raise ValueError(f"dimensions={value!r} of HashingEmbedder: give a whole number from 1 to 100,000")


@frozen
class HashingEmbedder:
    """Vectors from the words of a text and their parts, by hashing: the same in every process, without any model.

    It knows spelling and no meaning: `pay` and `payment` lie close together, `pay` and `settle` do not. For tests and
    examples, and where misspelt words are to be found.

    Args:
        dimensions: the length of each vector.
    """

    dimensions: int = field(default=256, validator=_check_dimensions)

    @property
    def name(self) -> str:
        """With the dimensions, for others are other vectors."""
        return f"hashing-1-{self.dimensions}"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of length 1 for each text; of one without words, zeros."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in _WORD.findall(text.casefold()):
            framed = f"<{word}>"
            for part in chain([framed], (framed[at : at + 3] for at in range(len(framed) - 2))):
                hash_ = int.from_bytes(blake2b(part.encode("utf-8", "replace"), digest_size=8).digest(), "big")
                vector[(hash_ >> 1) % self.dimensions] += 1.0 if hash_ & 1 else -1.0
        length = math.hypot(*vector)
        return [value / length for value in vector] if length else vector


def mark(embedder: Embedder) -> bytes:
    """What stands before the vectors of an embedder."""
    return blake2b(f"{embedder.name} {embedder.dimensions}".encode(), digest_size=_MARK).digest()


async def embedded(embedder: Embedder, texts: Sequence[str]) -> list[bytes]:
    """The vectors of the texts as they are stored: the mark, then 32-bit floats.

    Raises:
        ValueError: when the embedder gives something else than it says.
    """
    vectors = await embedder.embed(texts)
    if len(vectors) != len(texts):
        raise ValueError(
            f"embedder {embedder.name!r} gave {len(vectors)} vectors for {len(texts)} texts: give one each"
        )
    return [mark(embedder) + _bytes(embedder, vector) for vector in vectors]


def _bytes(embedder: Embedder, vector: Sequence[float]) -> bytes:
    if len(vector) != embedder.dimensions or not all(map(math.isfinite, vector)):
        raise ValueError(
            f"embedder {embedder.name!r} gave a vector of {len(vector)} values, not {embedder.dimensions} finite ones: "
            "see to its dimensions"
        )
    return array("f", vector).tobytes()
