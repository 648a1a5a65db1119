"""Write down for each kind of entry a test in which choragus writes one: `python tests/agents/record_kinds.py`.

Run it when `test_every_kind_is_produced_by_a_test` says so. It runs the tests that write entries, some minutes, or what
its arguments say (those of pytest), and keeps what was known before of the other kinds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from importlib import import_module
from pathlib import Path

import pytest

from choragus.agents.logbook.table import KINDS
from choragus.mailbox.turn import Entry

ROOT = Path(__file__).parents[2]
PRODUCED = Path(__file__).with_name("produced_kinds.txt")
WRITERS = ("draft", "chronicle", "rescue", "kernel")
"""The modules of `choragus.actors` that make entries."""
KERNEL = ("actor", "supervisor", "breaker", "message")
"""Of these the actor, or its path, is anybody's."""
FOLDERS = ("tests/actors", "tests/supervision", "tests/agents")


class Recorder:
    """Notes which entries choragus makes in which test; those of a test's own actors do not count."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._kinds: set[str] = set()

    def entry(self, stream: str, kind: str, at: float, body: bytes) -> Entry:
        """Stands in for the class in the modules that make entries."""
        actor = json.loads(body).get("actor")
        if actor is None or str(actor).startswith("choragus.") or kind.partition(".")[0] in KERNEL:
            self._kinds.add(kind)
        return Entry(stream, kind, at, body)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A test that passed has shown its kinds."""
        report = yield
        if report.when == "call":
            if report.passed:
                for kind in self._kinds:
                    self.found.setdefault(kind, item.nodeid.partition("[")[0])
            self._kinds.clear()
        return report


def read() -> dict[str, str]:
    """The test by the kind that it has choragus write."""
    lines = PRODUCED.read_text(encoding="utf-8").splitlines() if PRODUCED.exists() else []
    return {kind: test for kind, _, test in (line.partition(" ") for line in lines)}


def main(arguments: list[str]) -> int:
    """Run the tests, and write the file."""
    recorder = Recorder()
    for name in WRITERS:
        setattr(import_module(f"choragus.actors.{name}"), "Entry", recorder.entry)  # noqa: B010  # a module's name
    given = arguments or [*FOLDERS, "-q"]
    code = pytest.main(["--rootdir", str(ROOT), "-p", "no:cacheprovider", *given], plugins=[recorder])
    known = {**read(), **{kind: test for kind, test in recorder.found.items() if kind in KINDS}}
    lines = [f"{kind} {known[kind]}\n" for kind in sorted(known) if kind in KINDS]
    PRODUCED.write_text("".join(lines), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: pytest would take it for the root of the tests' names
    raise SystemExit(main(sys.argv[1:]))
