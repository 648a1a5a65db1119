"""A recording as a file: readable JSON, the same bytes for the same run, each message of a conversation once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from .drift import RECORD
from .exchange import Exchange, Plain

FORMAT = "choragus.recording"
VERSION = 1

REPEATED = ("model", "instructions", "tools", "output")
"""What of a request is left out where it is that of the one that it goes on from."""


def write(path: Path, exchanges: Sequence[Exchange]) -> None:
    """Write those that have an answer, whole or not at all; calls of tools that ran at once by their ids."""
    done = _in_order([one for one in exchanges if one.answer is not None])
    told = {
        "format": FORMAT,
        "version": VERSION,
        "exchanges": [_shortened(done, number) for number in range(len(done))],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def read(path: Path) -> list[Exchange]:
    """The exchanges of a recording.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is none, or one of a later version.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no recording {str(path)!r}: make it with {RECORD}=1 in the environment")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        form, version = told["format"], told["version"]
        if (form, version) != (FORMAT, VERSION):
            raise ValueError(f"its format is {form!r}, version {version!r}; {FORMAT!r}, version {VERSION} is known")
        exchanges: list[Exchange] = []
        for one in told["exchanges"]:
            exchanges.append(_exchange(one, exchanges))
        return exchanges
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{str(path)!r} is no recording that can be read ({type(error).__name__}: {error}): record it anew with "
            f"{RECORD}=1"
        ) from error


def _shortened(exchanges: Sequence[Exchange], number: int) -> Plain:
    one = exchanges[number]
    assert one.answer is not None
    answer = {name: each if name == "result" else _sorted(each) for name, each in sorted(one.answer.items())}
    if one.kind == "tool":
        return {"kind": "tool", **cast("Plain", _sorted(one.asked)), **answer}
    messages = cast("list[object]", one.asked["messages"])
    before = _before(exchanges[:number], messages)
    if before is None:
        return {"kind": "model", "request": _sorted(one.asked), **answer}
    old = exchanges[before].asked
    same = [name for name in REPEATED if one.asked.get(name) == old.get(name) and name in old]
    rest = {name: each for name, each in one.asked.items() if name not in same}
    gone = sorted(name for name in REPEATED if name in old and name not in one.asked)
    rest["messages"] = messages[len(cast("list[object]", old["messages"])) :]
    request = {"goes_on_from": before + 1, **({"without": gone} if gone else {}), **cast("Plain", _sorted(rest))}
    return {"kind": "model", "request": request, **answer}


def _before(exchanges: Sequence[Exchange], messages: list[object]) -> int | None:
    """The last model call whose conversation this one goes on with."""
    for number in range(len(exchanges) - 1, -1, -1):
        one = exchanges[number]
        if one.kind == "model":
            old = cast("list[object]", one.asked["messages"])
            if messages[: len(old)] == old:
                return number
    return None


def _exchange(told: Plain, before: Sequence[Exchange]) -> Exchange:
    answer: Plain = {name: told[name] for name in ("reply", "error", "result", "text") if name in told}
    if not answer:
        raise ValueError(f"exchange {len(before) + 1} has no answer")
    if told["kind"] == "tool":
        asked: Plain = {name: told[name] for name in ("call", "tool", "arguments")}
        return Exchange(kind="tool", asked=asked, answer=answer)
    request = dict(cast("Plain", told["request"]))
    base = request.pop("goes_on_from", None)
    if base is not None:
        gone = cast("list[str]", request.pop("without", []))
        old = before[cast("int", base) - 1].asked
        messages = [*cast("list[object]", old["messages"]), *cast("list[object]", request["messages"])]
        kept = {name: each for name, each in old.items() if name not in gone}
        request = {**kept, **request, "messages": messages}
    return Exchange(kind="model", asked=request, answer=answer)


def _in_order(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Tool calls between two model calls by their ids, however they came: the order in which they end is chance."""
    ordered: list[Exchange] = []
    group: list[Exchange] = []
    for one in exchanges:
        if one.kind == "tool":
            group.append(one)
        else:
            ordered += [*sorted(group, key=_place), one]
            group = []
    return ordered + sorted(group, key=_place)


def _place(exchange: Exchange) -> tuple[list[int], str]:
    call = str(exchange.asked["call"])
    return [int(part) for part in re.findall(r"\d+", call)], call


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_sorted(one) for one in value]
    return value
