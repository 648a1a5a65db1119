"""Whether an agent has been evaluated as it is now: regression tests before any deployment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from attrs import define, field

from choragus.agents.errors import NotEvaluated
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .record import EVALUATION

Required: TypeAlias = 'bool | Literal["refuse", "warn"] | PathLike[str] | str'
"""Whether runs begin only on identities that were evaluated; a path says where the evaluations are."""

BASELINE = "choragus_baseline"
"""A field that every baseline file has: an evaluation that somebody holds others against has not failed."""

_SQLITE = b"SQLite format 3\0"
_LOG = logging.getLogger("choragus")


@define
class Evaluations:
    """The evaluations of a file, or of another one.

    An identity counts as evaluated when there is an evaluation of exactly its hash, and of each dataset the latest one
    has passed, or has had nothing to be compared with (`passed` is null). One whose trials were not all run and judged
    counts as failed.

    Args:
        required: as `Runtime(require_evaluated=...)`.
        is_trial: whether a run of that key is one of an evaluation that is under way.

    Raises:
        ValueError: when that is none of those it may be.
    """

    required: Required
    is_trial: Callable[[str], bool] = lambda key: False
    _passed: dict[str, bool] = field(factory=dict, init=False)
    _told: set[str] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.required, bool | str | PathLike) or self.required == "":
            raise ValueError(
                f"require_evaluated={self.required!r}: give True or 'refuse', 'warn', False, or the path of a report "
                "or database that holds evaluations"
            )

    @property
    def place(self) -> Path | None:
        """The file that the evaluations are in; None: that of the runs."""
        return None if self.required in (True, False, "refuse", "warn") else Path(self.required)  # type: ignore[arg-type]  # a path

    async def look(self, store: Store) -> None:
        """Read what there is; nothing when nothing is required.

        Raises:
            OSError: when the file that was named cannot be read.
            ValueError: when it is neither a report nor a database.
        """
        if self.required is not False:
            self._passed = _verdicts(await _evaluations(store, self.place))

    async def check(self, store: Store, agent: str, identity: str) -> None:
        """Refuse, or warn, when the agent as it is now was not evaluated, or has not passed.

        Raises:
            NotEvaluated: when it is refused.
        """
        if self.required is False or self._passed.get(identity):
            return
        with suppress(OSError, ValueError):  # what was read before counts while the file is being written
            await self.look(store)
        self.check_known(agent, identity)

    def check_known(self, agent: str, identity: str) -> None:
        """The same by what was read last, for the turn of an actor.

        Raises:
            NotEvaluated: when it is refused.
        """
        verdict = True if self.required is False else self._passed.get(identity)
        if verdict:
            return
        refusal = NotEvaluated(agent, identity, failed=verdict is False, place=str(self.place or ""))
        if self.required != "warn":
            raise refusal
        if identity not in self._told:
            self._told.add(identity)
            _LOG.warning("%s", refusal)


def _verdicts(found: Iterable[Mapping[str, object]]) -> dict[str, bool]:
    """By identity: whether the latest evaluation of each dataset has not failed."""
    latest: dict[tuple[str, str], Mapping[str, object]] = {}
    for one in sorted(found, key=_ended):
        latest[str(one["manifest"]), str(one.get("dataset", ""))] = one
    verdicts: dict[str, bool] = {}
    for (identity, _), one in latest.items():
        verdicts[identity] = verdicts.get(identity, True) and _is_good(one)
    return verdicts


def _is_good(one: Mapping[str, object]) -> bool:
    """Whether it has not failed, and every trial was run and judged: of the others nobody knows whether they pass."""
    figures = one.get("figures")
    undecided = isinstance(figures, Mapping) and (figures.get("missing") or figures.get("unjudged"))
    return one.get("passed") is True or (one.get("passed") is None and not undecided)


def _ended(one: Mapping[str, object]) -> float:
    ended = one.get("ended")
    return float(ended) if isinstance(ended, int | float) else 0.0


async def _evaluations(store: Store, place: Path | None) -> list[Mapping[str, object]]:
    if place is None:
        return await _of(store)
    with place.open("rb") as file:
        is_database = file.read(len(_SQLITE)) == _SQLITE
    if not is_database:
        return _reported(place)
    other = await SqliteStore.open(place, visitor=True)
    try:
        return await _of(other)
    finally:
        await other.close()


async def _of(store: Store) -> list[Mapping[str, object]]:
    found = [msgspec.json.decode(view.body or b"{}") for view in await store.views(EVALUATION)]
    return [one for one in found if _is_evaluation(one)]


def _reported(place: Path) -> list[Mapping[str, object]]:
    text = place.read_bytes()
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        try:
            said = [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
        except msgspec.DecodeError as error:
            raise ValueError(f"{place} holds no evaluations: it is neither JSON nor a database ({error})") from None
    found = [one for one in _within(said) if _is_evaluation(one)]
    if not found:
        raise ValueError(
            f"{place} holds no evaluations: give what `choragus eval` writes by --save-baseline or --json, "
            "or a database"
        )
    return found


def _within(said: object) -> Iterator[Mapping[str, object]]:
    """Evaluations however they are put together: one, a list of them, or an object that holds some."""
    if isinstance(said, Mapping):
        if _is_evaluation(said):
            yield said
        else:
            for one in said.values():
                yield from _within(one) if isinstance(one, list) else ()
    elif isinstance(said, list):
        for one in said:
            yield from _within(one) if isinstance(one, Mapping) else ()


def _is_evaluation(one: object) -> bool:
    return isinstance(one, Mapping) and isinstance(one.get("manifest"), str) and ("passed" in one or BASELINE in one)
