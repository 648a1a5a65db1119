"""The runs of a file as a dataset: cases as JSON lines, and files of them that grow by one. Standard library only."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import mkstemp
from typing import Literal, TypeAlias

from choragus.mailbox.reader import Reader, ViewRow

from .case import case, labels, told_of
from .counted import EVERY, Choice, is_chosen, outcome_of

What: TypeAlias = Literal["all", "completed", "failed", "escalated", "corrected"]

WHAT: tuple[What, ...] = ("all", "completed", "failed", "escalated", "corrected")

LINES = (".jsonl", ".ndjson")
"""How files of cases, one to a line, are named."""

Case: TypeAlias = dict[str, object]
Redact: TypeAlias = Callable[[Case], Case]


def cases(reader: Reader, what: What = "all", choice: Choice = EVERY, *, arguments: bool = False) -> Iterator[Case]:
    """The runs that are chosen and have ended, as cases, by their starts; one run at a time is held.

    Args:
        what: `completed` (and not found wanting), `failed` (ended in any other way but by being cancelled),
            `escalated` (a person was asked), `corrected` (a person corrected the answer, or the arguments of a call).
        arguments: have the arguments of the calls too.

    Raises:
        ValueError: when `what` is none of these.
    """
    if what not in WHAT:
        raise ValueError(f"what={what!r} is no choice of runs: choose from {', '.join(WHAT)}")
    for (key,) in reader.rows("SELECT key FROM view WHERE kind = 'run' ORDER BY sort, key"):
        view = reader.view("run", str(key))
        if view is not None and _is_wanted(reader, view, what, choice):
            yield case(reader, view, arguments=arguments)


def regression(reader: Reader, run: ViewRow, *, name: str = "", expected: str = "") -> Case:
    """A run as a case that later versions have to pass: with the answer that a person expects, and no trajectory.

    Without `expected` it is the run's correction. A run that failed needs neither: then it is to complete.

    Raises:
        ValueError: when it goes on, or has completed and nobody says what it should have answered.
    """
    row = run.data
    outcome = outcome_of(row)
    if not outcome.ended:
        raise ValueError(f"run {run.key} goes on ({outcome.status}): a case is made of a run that has ended")
    wanted = expected or str(row.get("correction", "")) or None
    if wanted is None and outcome.completed:
        raise ValueError(
            f"run {run.key} has completed, and nobody has said what it should have answered: give the expected answer"
        )
    made = case(reader, run)
    made.update(expected_output=wanted, trajectory=None)
    return {**made, "name": name} if name else made


def line(case: Case) -> str:
    """The case as one line of JSON."""
    return json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n"


def write(path: str | os.PathLike[str], cases: Iterable[Case], redact: Redact | None = None) -> int:
    """Write a file of cases whole or not at all, readable by its owner only; how many there are.

    A file that is there is replaced when all are written.

    Raises:
        OSError: when it cannot be written; what was there stays.
    """
    target = Path(path)
    handle, draft = mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        count = 0
        with open(handle, "w", encoding="utf-8") as file:
            for one in cases:
                file.write(line(redact(one) if redact else one))
                count += 1
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise
    return count


def append(path: str | os.PathLike[str], case: Case) -> None:
    """Put a case behind those of a file, which is made when it is not there; all of its line, or nothing.

    Raises:
        ValueError: when a case of that name is in it, or a line of it is no case, or the file is named as one of
            another kind.
        OSError: when it cannot be written; then nothing was.
    """
    if Path(path).suffix.lower() not in LINES:
        raise ValueError(f"{os.fspath(path)} is no file of cases, one to a line: name it cases{LINES[0]}, say")
    with open(path, "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two at a time would both find the name free
        file.seek(0)
        whole = file.read()
        if case["name"] in _names(os.fspath(path), whole):
            raise ValueError(f"{os.fspath(path)} has a case named {case['name']!r} already: give another name")
        added = (b"" if not whole or whole.endswith(b"\n") else b"\n") + line(case).encode()
        try:
            file.write(added)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), len(whole))
            raise


def _names(path: str, whole: bytes) -> set[object]:
    names = set()
    for number_, one in enumerate(whole.splitlines(), 1):
        if one.strip():
            try:
                names.add(_name(json.loads(one), number_))
            except (ValueError, TypeError):
                raise ValueError(f"{path}, line {number_} is no case: mend it, or name another file") from None
    return names


def _name(said: object, line: int) -> object:
    """What the case on that line goes by, as those know it who read the file: one of ours, or of Inspect's."""
    if not isinstance(said, dict) or not said.keys() & {"name", "inputs", "input"}:
        raise TypeError
    return said.get("name") or str(said.get("id") or f"line {line}")


def _is_wanted(reader: Reader, view: ViewRow, what: What, choice: Choice) -> bool:
    row = view.data
    outcome = outcome_of(row)
    if not (outcome.ended and is_chosen(choice, row, outcome)):
        return False
    match what:
        case "all":
            return True
        case "completed":
            return outcome.completed
        case "failed":
            return not outcome.completed and outcome.status != "cancelled"
        case "escalated":
            return outcome.escalated
        case "corrected":
            edited = outcome.escalated and "edited" in labels(row, told_of(reader, view.key))
            return bool(row.get("correction")) or edited
