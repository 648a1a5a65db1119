"""What `choragus show` tells of whether a run has succeeded: the judge's word, and people's corrections. Pure."""

from __future__ import annotations

from collections.abc import Callable

from .row import Fields, Row, by_of, number_of, text_of, whole_of
from .text import money


def judgement(kind: str, at: float, data: Fields) -> list[Row]:
    """The rows of an entry of one of `VERDICT_KINDS`; of another kind none."""
    make = _KINDS.get(kind)
    return [] if make is None else [make(at, data)]


def _judged(at: float, data: Fields) -> Row:
    found = data.get("succeeded")
    word = "nobody knows whether it succeeded"
    if found is not None:
        word = "it succeeded" if found is True else "it did not succeed"
    score = f" with {number_of(data, 'score'):g}" if "score" in data else ""
    cost = f" ({money(number_of(data, 'cost_usd'))})" if data.get("cost_usd") else ""
    return Row(at, "", "judged", f"{word}{score}, {by_of(data, 'reason')}{cost}", whole=True)


def _judge_failed(at: float, data: Fields) -> Row:
    return Row(at, "", "failed", f"judge, try {whole_of(data, 'tries')}: {text_of(data, 'reason')}", whole=True)


def _corrected(at: float, data: Fields) -> Row:
    return Row(at, "", "corrected", by_of(data, "reason"), whole=True, below=text_of(data, "answer"))


def _not_corrected(at: float, data: Fields) -> Row:
    return Row(at, "", "corrected", f"not: {by_of(data, 'reason')}", whole=True)


_KINDS: dict[str, Callable[[float, Fields], Row]] = {
    "run.judged": _judged,
    "judge.failed": _judge_failed,
    "run.corrected": _corrected,
    "correction.refused": _not_corrected,
}

VERDICT_KINDS = frozenset(_KINDS)
