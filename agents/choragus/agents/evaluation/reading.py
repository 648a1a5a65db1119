"""Reading cases from a file: JSON lines of our own and of Inspect, and the sets that pydantic-evals writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, cast

import msgspec

from choragus.agents.errors import EvaluationFault

from .builtin import scorers_of
from .case import Case, Dataset
from .marked import Marks, read_yaml
from .scorer import Scorer

FIELDS = ("name", "inputs", "expected_output", "targets", "metadata", "labels", "trajectory", "source", "evaluators")
INSPECT = ("id", "input", "target", "metadata")
DATASET = ("$schema", "name", "cases", "evaluators", "report_evaluators")

TOLD = 5
"""How many faults of one file are told at once."""

SUFFIXES = (".jsonl", ".ndjson", ".yaml", ".yml", ".json")


def read_cases(path: str | Path) -> Dataset:
    """The cases in a file: `.jsonl` with one to a line, or `.yaml`, `.yml` or `.json` as pydantic-evals writes them.

    A line is as `choragus export` writes it, with `name`, `inputs`, `expected_output`, `metadata`, `labels`,
    `trajectory`, `source`; or as Inspect reads it, with `id`, `input`, `target`, `metadata`.

    Raises:
        EvaluationFault: what is wrong, with file, line and field; up to five faults at once.
        ImportError: for YAML without the extra: pip install 'choragus[yaml]'.
        OSError: when the file cannot be read.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise EvaluationFault(f"{file} is of no kind that holds cases: name it one of {', '.join(SUFFIXES)}")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationFault(f"{file}: byte {error.start} is no UTF-8") from None
    reader = _Reader(str(file))
    if file.suffix.lower() in (".jsonl", ".ndjson"):
        return reader.lines(text)
    if file.suffix.lower() == ".json":
        return reader.dataset(reader.json(text), Marks())
    content, marks = read_yaml(str(file), text)
    return reader.dataset(content, marks)


class _Known(TypedDict):
    """The fields of a case."""

    name: str
    inputs: object
    expected_output: object
    targets: tuple[str, ...]
    metadata: Mapping[str, object]
    labels: tuple[str, ...]
    trajectory: tuple[str, ...] | None
    source: Mapping[str, object] | None
    scorers: tuple[Scorer, ...]


class _Reader:
    """Collects what is wrong with one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._faults: list[str] = []

    def lines(self, text: str) -> Dataset:
        cases: list[Case] = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            where = f"{self._file}, line {number}"
            try:
                said: object = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                self._faults.append(f"{where}: {error}")
                continue
            cases.extend(self._case(said, where, f"line {number}"))
        self._check()
        return Dataset(name=Path(self._file).name, cases=tuple(cases))

    def json(self, text: str) -> object:
        try:
            return cast("object", msgspec.json.decode(text))
        except msgspec.DecodeError as error:
            raise EvaluationFault(f"{self._file}: {error}") from None

    def dataset(self, content: object, marks: Marks) -> Dataset:
        if not isinstance(content, Mapping) or not isinstance(content.get("cases"), list):
            raise EvaluationFault(f"{self._file}: it is no set of cases: write `cases:` with a list of them")
        self._unknown(content, DATASET, self._file)
        if content.get("report_evaluators"):
            self._faults.append(f"{self._file}, field report_evaluators: reports have their own figures here")
        cases: list[Case] = []
        for number, said in enumerate(content["cases"]):
            line = marks.line("cases", number)
            where = f"{self._file}, {f'line {line}' if line else f'cases[{number}]'}"
            cases.extend(self._case(said, where, f"case {number + 1}"))
        name = content.get("name")
        shared = self._evaluators(content.get("evaluators"), self._file)
        self._check()
        named = name if isinstance(name, str) and name else Path(self._file).name
        return Dataset(name=named, cases=tuple(cases), scorers=shared)

    def _case(self, said: object, where: str, name: str) -> list[Case]:
        """The case; none when something is wrong with it."""
        if not isinstance(said, Mapping):
            self._faults.append(f"{where}: it is no object with the fields of a case")
            return []
        before = len(self._faults)
        fields = self._of_inspect(said, where) if "input" in said and "inputs" not in said else dict(said)
        self._unknown(fields, FIELDS, where)
        if "inputs" not in fields or fields["inputs"] is None or fields["inputs"] == "":
            self._faults.append(f"{where}, field inputs: it is missing or empty, and the agent is asked nothing")
        known: _Known = {
            "name": self._text(fields.get("name"), where, "name") or name,
            "inputs": fields.get("inputs"),
            "expected_output": fields.get("expected_output"),
            "targets": self._texts(fields.get("targets"), where, "target") or (),
            "metadata": self._object(fields.get("metadata"), where, "metadata") or {},
            "labels": self._texts(fields.get("labels"), where, "labels") or (),
            "trajectory": self._texts(fields.get("trajectory"), where, "trajectory"),
            "source": self._object(fields.get("source"), where, "source"),
            "scorers": self._evaluators(fields.get("evaluators"), where),
        }
        try:
            return [Case(**known)] if len(self._faults) == before else []
        except EvaluationFault as fault:
            self._faults.append(f"{where}: {fault}")
            return []

    def _of_inspect(self, said: Mapping[str, object], where: str) -> dict[str, object]:
        """The fields of one of Inspect's samples, by our names."""
        self._unknown(said, INSPECT, where)
        fields: dict[str, object] = {"inputs": said["input"], "metadata": said.get("metadata")}
        fields["name"] = str(said["id"]) if isinstance(said.get("id"), int) else said.get("id")
        if isinstance(said["input"], list):
            fields["inputs"] = self._spoken(said["input"], where)
        target = said.get("target")
        if isinstance(target, list) and len(target) > 1:
            fields["targets"] = target
        else:
            fields["expected_output"] = (target or [None])[0] if isinstance(target, list) else target or None
        return fields

    def _spoken(self, messages: Sequence[object], where: str) -> str:
        """What the user says in a list of messages; an agent has its own prompt."""
        said: list[str] = []
        for one in messages:
            if isinstance(one, Mapping) and one.get("role") == "user" and isinstance(one.get("content"), str):
                said.append(str(one["content"]))
            else:
                self._faults.append(
                    f"{where}, field input: {one!r:.80} is no text of the user's, and others are not read"
                )
        return "\n\n".join(said)

    def _evaluators(self, given: object, where: str) -> tuple[Scorer, ...]:
        if given is None:
            return ()
        if not isinstance(given, list):
            self._faults.append(f"{where}, field evaluators: {given!r:.80} is no list")
            return ()
        found, faults = scorers_of(given)
        self._faults += [f"{where}, field evaluators: {fault}" for fault in faults]
        return found

    def _unknown(self, said: Mapping[str, object], known: Sequence[str], where: str) -> None:
        for name in said:
            if name not in known:
                self._faults.append(f"{where}, field {name}: there is none of that name; there are {', '.join(known)}")

    def _text(self, given: object, where: str, name: str) -> str:
        if given is None or isinstance(given, str):
            return given or ""
        self._faults.append(f"{where}, field {name}: {given!r:.80} is no text")
        return ""

    def _texts(self, given: object, where: str, name: str) -> tuple[str, ...] | None:
        if given is None:
            return None
        if isinstance(given, list) and all(isinstance(one, str) for one in given):
            return tuple(given)
        self._faults.append(f"{where}, field {name}: {given!r:.80} is no list of texts")
        return None

    def _object(self, given: object, where: str, name: str) -> Mapping[str, object] | None:
        if given is None or isinstance(given, Mapping):
            return given
        self._faults.append(f"{where}, field {name}: {given!r:.80} is no object")
        return None

    def _check(self) -> None:
        if self._faults:
            more = len(self._faults) - TOLD
            told = [*self._faults[:TOLD], *([f"and {more} more"] if more > 0 else [])]
            raise EvaluationFault("; ".join(told))
