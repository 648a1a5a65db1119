"""`choragus eval` at work: it opens the user's runtime, tries its agent, and prints the report."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from traceback import print_exc

import anyio

from choragus.agents.agent import Agent
from choragus.agents.errors import EvaluationFault
from choragus.agents.evaluating import bench_of
from choragus.agents.evaluation.baseline import Baseline, Rule
from choragus.agents.evaluation.case import Dataset
from choragus.agents.evaluation.inspecting import write_inspect
from choragus.agents.evaluation.printing import printed
from choragus.agents.evaluation.reading import read_cases
from choragus.agents.evaluation.report import Report
from choragus.agents.evaluation.running import evaluate
from choragus.agents.evaluation.trial import Trial
from choragus.agents.patience import told
from choragus.agents.runtime import Runtime
from choragus.mailbox.sqlite import SqliteStore

from .exit import Exit, Refused
from .text import visible


def run(asked: Namespace) -> Exit:
    """Evaluate as was asked for."""
    progress = Progress()
    try:
        report = anyio.run(_evaluated, asked, progress)
    except KeyboardInterrupt:
        progress.end()
        then = "the same command goes on" if progress.place != "memory" else "nothing is kept, for there is no FILE"
        print(f"stopped by Ctrl-C; {progress.told} have ended: {then}", file=sys.stderr)
        return Exit.INTERRUPTED
    except ImportError as error:
        raise Refused(str(error)) from error
    print(json.dumps(report.as_dict()) if asked.json else printed(report), end="\n" if asked.json else "")
    if asked.save_baseline:
        _save(report, asked.save_baseline)
    is_whole = not (report.missing or report.unjudged)
    return Exit.OK if is_whole and report.passed is not False else Exit.PROBLEMS


class Progress:
    """Says on a terminal how far it is."""

    def __init__(self) -> None:
        self.place = "memory"
        self._done = self._all = 0
        self._shows = sys.stderr.isatty()

    def trial(self, trial: Trial, done: int, whole: int) -> None:
        """One trial has ended."""
        self._done, self._all = done, whole
        if self._shows:
            print(f"\r{self.told}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Begin a new line."""
        if self._shows and self._done:
            print(file=sys.stderr)

    @property
    def told(self) -> str:
        """How far it is, in words."""
        return f"{self._done} of {self._all} trials" if self._done else "no trials"


async def _evaluated(asked: Namespace, progress: Progress) -> Report:
    dataset = _cases(asked.cases)
    _check_places(asked)
    app = named(asked.app, "--app")
    if not isinstance(app, Runtime | Agent) and callable(app):
        app = _called(app, asked.app)
    if not isinstance(app, Runtime | Agent):
        raise Refused(f"--app {asked.app} is {app!r:.80}: name a Runtime, an Agent, or a function that gives one")
    rule = Rule(tolerance=asked.tolerance, case_level=asked.case_level, any_worse=asked.any_worse, cost=asked.dearer)
    if isinstance(app, Runtime) and asked.file:
        bench_of(app).move(asked.file)
    is_agent = isinstance(app, Agent)
    progress.place = app.place if isinstance(app, Runtime) else asked.file or "memory"
    report = await evaluate(
        app,
        dataset,
        agent=asked.agent,
        scorers=_scorers(asked.scorers),
        repeats=asked.repeats,
        at_once=asked.at_once,
        key=asked.key,
        file=(asked.file or None) if is_agent else None,
        cost_usd=asked.cost_usd,
        seconds=asked.seconds,
        people=asked.people,
        at_least=asked.at_least,
        baseline=asked.baseline or None,
        rule=rule,
        on_trial=progress.trial,
    )
    progress.end()
    if asked.inspect:
        await _write_log(asked.inspect, report, dataset, app.place if isinstance(app, Runtime) else asked.file)
    return report


async def _write_log(folder: str, report: Report, dataset: Dataset, place: str) -> None:
    if place in ("", "memory"):
        path = await write_inspect(report, dataset, folder)
    else:
        store = await SqliteStore.open(place, visitor=True)
        try:
            path = await write_inspect(report, dataset, folder, store)
        finally:
            await store.close()
    print(f"inspect view --log-dir {path.parent}", file=sys.stderr)


def _cases(path: str) -> Dataset:
    try:
        return read_cases(path)
    except OSError as error:
        raise Refused(f"--cases {path} cannot be read: {error.strerror}") from None


def _check_places(asked: Namespace) -> None:
    """Before anything has been paid for."""
    base = asked.save_baseline
    if base and (Path(base).is_dir() or not Path(base).absolute().parent.is_dir()):
        raise Refused(f"--save-baseline {base} cannot be written: name a file in a folder that is there")
    if asked.inspect:
        try:
            Path(asked.inspect).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(f"--inspect {asked.inspect} cannot be written: {error.strerror}") from None


def _save(report: Report, path: str) -> None:
    try:
        Baseline.of(report).save(path)
    except EvaluationFault as fault:  # the exit code says the same
        print(visible(f"choragus: {fault}"), file=sys.stderr)
    except OSError as error:
        raise Refused(f"--save-baseline {path} cannot be written: {error.strerror}") from None


def _called(app: Callable[[], object], given: str) -> object:
    try:
        return app()
    except Exception as error:  # the user's code; its exit code must not be that of a regression
        print_exc()
        raise Refused(f"--app {given} raised {told(error)}") from None


def _scorers(given: str) -> list[object] | None:
    if not given:
        return None
    found = named(given, "--scorers")
    if isinstance(found, list | tuple):
        return list(found)
    raise Refused(f"--scorers {given} is {found!r:.80}: name a list of scorers")


def named(given: str, option: str) -> object:
    """What an option names as `module:attribute`; the current folder is looked in first.

    Raises:
        Refused: when it is not there.
    """
    module, _, name = given.partition(":")
    if not module or not name:
        raise Refused(f"{option} {given!r} names nothing: write MODULE:NAME, such as myservice:runtime")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise
        raise Refused(f"{option} {given}: there is no module {module!r} here ({Path(here).name}/)") from None
    except ImportError:
        raise
    except Exception as error:
        print_exc()
        raise Refused(f"{option} {given}: module {module!r} raised {told(error)}") from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise Refused(f"{option} {given}: module {module!r} has no {name!r}")
        found = getattr(found, part)
    return found
