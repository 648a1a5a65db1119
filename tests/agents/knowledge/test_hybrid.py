"""Words and vectors together: what both ways find comes first, and what is forgotten is in neither."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import attrs
import pytest
from tests.agents.play import scripted

from choragus.agents.knowledge import nearness
from choragus.agents.knowledge.declaration import Library
from choragus.agents.knowledge.embedder import Embedder, HashingEmbedder, embedded
from choragus.agents.runtime import Runtime

pytest.importorskip("numpy")

BOTH = Library("both", embedder=HashingEmbedder())


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime(agents=[scripted("done")], libraries=[BOTH]) as runtime:
        yield runtime


@attrs.frozen
class Fixed:
    """Gives the vectors that it was told."""

    vectors: dict[str, list[float]]
    name: str = "fixed"
    dimensions: int = 2

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of the texts."""
        return [self.vectors.get(text, [0.0, 0.0]) for text in texts]


async def test_hashed_vectors_are_the_same_everywhere_and_of_length_1() -> None:
    embedder: Embedder = HashingEmbedder(dimensions=16)

    one, two, empty = await embedder.embed(["Pay the bill", "pay THE bill", "..."])

    assert one == two
    assert math.isclose(math.hypot(*one), 1.0)
    assert empty == [0.0] * 16
    assert [round(value, 3) for value in one[:4]] == [-0.555, 0.277, 0.0, 0.0]


async def test_what_is_found_both_ways_comes_first() -> None:
    vectors = {
        "rain in town": [1.0, 0.0],
        "rain": [0.6, 0.8],
        "sun": [0.9, 0.1],
        "wind": [0.0, 1.0],
        "ask rain": [1.0, 0.0],
    }
    library = Library("both", embedder=Fixed(vectors))
    async with Runtime(agents=[scripted("done")], libraries=[library]) as runtime:
        shelf = runtime.library("both")
        for text in ("rain in town", "rain", "sun", "wind"):
            await shelf.add(text, id=text)

        found = await shelf.search("ask rain")

    assert [(one.id, sorted(one.parts)) for one in found] == [
        ("rain in town", ["vectors", "words"]),
        ("rain", ["vectors", "words"]),
        ("sun", ["vectors"]),
    ]
    assert found[0].parts["vectors"] == pytest.approx(1.0)
    assert found[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert found[1].score == pytest.approx(1 / 61 + 1 / 63)
    assert found[2].score == pytest.approx(1 / 62)


async def test_a_misspelt_word_is_found_by_its_parts(runtime: Runtime) -> None:
    shelf = runtime.library("both")
    await shelf.add("payments are due")
    await shelf.add("the weather is fine")

    found = await shelf.search("paymnts")

    assert [one.text for one in found][:1] == ["payments are due"]
    assert list(found[0].parts) == ["vectors"]


async def test_vectors_keep_up_with_what_is_put_replaced_and_forgotten(runtime: Runtime) -> None:
    shelf = runtime.library("both")
    await shelf.add("payments", id="a", subject="alice")
    assert [one.id for one in await shelf.search("paymnts")] == ["a"]

    await shelf.add("payments too", id="b")
    assert {one.id for one in await shelf.search("paymnts")} == {"a", "b"}
    await shelf.add("weather", id="b")
    assert [one.id for one in await shelf.search("paymnts")] == ["a"]
    await shelf.forget(subject="alice")

    assert await shelf.search("paymnts") == []
    assert [number for number, _ in await runtime.store.vectors(shelf.collection)] == [3]


async def test_vectors_that_are_gone_take_the_place_of_no_others(runtime: Runtime) -> None:
    shelf = runtime.library("both")
    records = [{"id": f"n{number}", "text": "payments", "subject": "alice", "at": 1.0} for number in range(60)]
    await shelf.restore([*records, {"id": "left", "text": "paymnt or so", "at": 1.0}])
    assert len(await shelf.search("paymnts", 60)) == 60

    await shelf.forget(subject="alice")

    assert [one.id for one in await shelf.search("paymnts")] == ["left"]


async def test_searches_at_once_read_each_vector_once(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "runs.db", agents=[scripted("done")], libraries=[BOTH]) as runtime:
        shelf = runtime.library("both")
        await shelf.restore({"id": f"n{number}", "text": "payments", "at": 1.0} for number in range(60))

        results = await asyncio.gather(*(shelf.search("paymnts", 60) for _ in range(5)))

    assert [len(found) for found in results] == [60] * 5


async def test_s23_vectors_stay_in_their_namespace(runtime: Runtime) -> None:
    await runtime.library("both", namespace="tenant-a").add("payments")

    assert await runtime.library("both", namespace="tenant-b").search("payments") == []


async def test_vectors_of_another_embedder_are_not_compared() -> None:
    store = Library("both", embedder=HashingEmbedder(dimensions=8))
    other = Library("both", embedder=Fixed({"rain": [1.0, 0.0], "x": [1.0, 0.0]}))
    async with Runtime(agents=[scripted("done")], libraries=[store]) as runtime:
        await runtime.library("both").add("rain")
        seen = runtime.library("both")

        found = await attrs.evolve(seen, terms=other).search("x")

    assert found == []


@pytest.mark.parametrize("vector", [[1.0], [1.0, math.nan]], ids=["short", "nan"])
async def test_an_embedder_that_does_not_keep_its_word_is_named(vector: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^embedder 'fixed' gave a vector of \d values, not 2 finite ones"):
        await embedded(Fixed({"a": vector}), ["a"])


async def test_without_numpy_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "choragus.agents.knowledge.similarity", raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(ImportError, match=r"pip install 'choragus\[vector\]'"):
        nearness.check_extra()
    with pytest.raises(ImportError, match=r"pip install 'choragus\[vector\]'"):
        async with Runtime(agents=[scripted("done")], libraries=[BOTH]):
            pass
