"""`choragus export` and `regress`: runs as cases of a dataset."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from choragus.agents.figures.case import case
from choragus.agents.figures.counted import outcome_of
from choragus.agents.figures.dataset import WHAT, Case, append, cases, line, regression, write
from choragus.agents.figures.redaction import Redaction
from choragus.agents.policy.redacted import KINDS

from .choosing import add_choice, add_sub_runs, choice_of
from .command import RUN, Commands, reading
from .exit import Exit, Refused
from .glance import Glance
from .text import counted, visible

OPENLY = "not redacted: what people, tools and models wrote stands in it as it is, with secrets and personal data"


def declare(commands: Commands) -> None:
    """`export` and `regress`."""
    one = reading(
        commands,
        "export",
        export,
        "Each run that has ended as one line of JSON: what it was given, what was expected, the tools that it\n"
        "called in order, labels and figures. Expected is a person's correction, or else the answer of a run\n"
        "that completed, with the label `unreviewed`. Secrets and personal data are taken out, as far as the\n"
        "detectors of the redaction policy know them.",
        "choragus export runs.db --what corrected --since 30d --out cases.jsonl\n  choragus export runs.db 5f2c",
    )
    one.add_argument("run", metavar="RUN", nargs="?", default="", help=f"only this one: {RUN}")
    one.add_argument(
        "--what", metavar="WHICH", choices=WHAT, default="all", help=f"which runs: {', '.join(WHAT)}; all by default"
    )
    add_choice(one)
    add_sub_runs(one)
    one.add_argument("--arguments", action="store_true", help="also the arguments of the calls, as they ran")
    one.add_argument("--out", metavar="PATH", help="write a file, whole or not at all; else print")
    _add_redaction(one)
    one = reading(
        commands,
        "regress",
        regress,
        "Put a run behind the cases of a file, so that later versions have to do better: with the answer that\n"
        "it should have given, or its correction. A run that failed needs none: it then has to complete. A\n"
        "case of the same name is refused.",
        "choragus regress runs.db 5f2c --expect 'It rains.' --cases cases.jsonl",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("--expect", metavar="TEXT", default="", help="what it should have answered; it is not redacted")
    one.add_argument("--cases", metavar="PATH", required=True, help="the file of cases; made when it is not there")
    one.add_argument("--name", metavar="NAME", default="", help="of the case; by default agent and run")
    _add_redaction(one)


def export(glance: Glance) -> Exit:
    """Print or write the cases."""
    asked, redaction = glance.asked, _redaction(glance.asked)
    if asked.out is None:
        for one in _cases(glance):
            sys.stdout.write(_printed(redaction.case(one) if redaction else one))
        return Exit.OK
    try:
        count = write(asked.out, _cases(glance), redaction.case if redaction else None)
    except OSError as error:
        raise Refused(f"{asked.out} cannot be written ({error.strerror}); nothing was changed") from None
    print(visible(f"{counted(count, 'case')} in {asked.out}"))
    return Exit.OK


def regress(glance: Glance) -> Exit:
    """Append a run to a file of cases."""
    asked, redaction = glance.asked, _redaction(glance.asked)
    try:
        made = regression(glance.reader, glance.run(asked.run), name=asked.name, expected=asked.expect)
        if redaction:
            made = {**redaction.case(made), **({"expected_output": asked.expect} if asked.expect else {})}
        append(asked.cases, made)
    except ValueError as error:
        raise Refused(f"{error}{' with --expect TEXT' if 'expected answer' in str(error) else ''}") from None
    except OSError as error:
        raise Refused(f"{asked.cases} cannot be written ({error.strerror}); nothing was changed") from None
    print(visible(f"case {made['name']} is in {asked.cases}"))
    return Exit.OK


def _cases(glance: Glance) -> Iterator[Case]:
    asked = glance.asked
    if not asked.run:
        yield from cases(glance.reader, asked.what, choice_of(asked), arguments=asked.arguments)
        return
    view = glance.run(asked.run)
    if not outcome_of(view.data).ended:
        raise Refused(f"run {view.key} goes on: a case is made of a run that has ended")
    yield case(glance.reader, view, arguments=asked.arguments)


def _add_redaction(one: ArgumentParser) -> None:
    ways = one.add_mutually_exclusive_group()
    kinds = ", ".join(sorted(KINDS))
    ways.add_argument(
        "--redact", metavar="KIND", action="append", choices=sorted(KINDS), help=f"only this, may be repeated: {kinds}"
    )
    ways.add_argument("--no-redact", action="store_true", help="take nothing out")


def _redaction(asked: Namespace) -> Redaction | None:
    if asked.no_redact:
        print(visible(f"choragus: {OPENLY}"), file=sys.stderr)
        return None
    return Redaction(asked.redact or KINDS)


def _printed(one: Case) -> str:
    """With escapes where a terminal could be moved, or cannot show it."""
    is_plain = sys.stdout.isatty() or (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    return json.dumps(one, separators=(",", ":")) + "\n" if is_plain else line(one)
