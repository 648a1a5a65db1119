"""Writes docs/cli.md, every command from the parser that reads it: `python -m tests.docs.cli`."""

from __future__ import annotations

import textwrap
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from choragus.agents.cli.catalogue import COMMANDS, GROUPS
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.parser import parser

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

WIDTH = 118
"""Columns of a paragraph."""

HEAD = """\
# The command line

`choragus`, or `python -m choragus`, is for the people who operate a file of runs: it shows what a run did and what it
cost, watches what is under way, and carries a person's word to a run. The page is written by `python -m
tests.docs.cli` from the parser itself, and a test holds it to the code; `choragus COMMAND --help` says the same.

```console
$ choragus runs runs.db                              # what runs are there
$ choragus show runs.db 5f2c                         # what did this one do
$ choragus approvals runs.db                         # what waits for me
$ choragus approve runs.db 7f3a --by mia             # let it happen
$ choragus serve --app myservice:runtime             # own the file, and go on with its runs
```

## Who does what

- **Commands that read** look into the file with the standard library alone: they import neither the runtime nor any
  dependency, so that the first line is there at once, also in a file with 10,000 runs (`benchmarks/run.py --only cli`
  has the figures). They take no lock that a service would notice, and work while one has the file open.
- **Commands that decide** leave one message in the file and say what became of it within 2 seconds: handled by the
  process that owns the file, parked because it could not be handled, or recorded until that process opens the file
  again.
- **Commands that need your code** take `--app MODULE:NAME` and own the file. The name is a `Runtime`, or a function
  that gives one: plain, `async`, or a context manager of either kind. The current folder is looked in too.

## Output

A run, an approval or a rule is named by the beginning of its id, as long as no other begins so. Output fits the
terminal, from 80 columns on; what a model or a tool wrote stands behind a margin or is escaped, so that it can
neither move the cursor nor pass for a line of ours. With `--json` each command that reads prints one JSON object to a
line, and each that decides one with `command`, `fate` (`handled`, `recorded`, `parked` or `refused`) and `told`; the
names of the fields stay.

`pip install 'choragus[cli]'` adds colours, and the live view of `top`. Without it, on a pipe, with `NO_COLOR` or on a
dumb terminal the output is plain text; `FORCE_COLOR` brings the colours back where there is no terminal.

## Exit codes

| code | meaning |
|---|---|
"""

CODES = {
    Exit.OK: "done",
    Exit.PROBLEMS: "problems found in the file; something needs a person (`doctor`); a run has ended without a result "
    "(`run`); or a message could not be handled",
    Exit.USAGE: "a bad command line; or no such run, approval, call or message waits: nothing was changed",
    Exit.FILE: "the file is missing, no choragus database, too new, damaged, or in use: nothing was changed",
    Exit.INTERRUPTED: "interrupted by Ctrl-C",
    Exit.BROKEN_PIPE: "nobody reads the output any more",
}

COMPLETION = """
## Completion

```console
$ choragus completion bash > ~/.local/share/bash-completion/completions/choragus
$ choragus completion zsh > "${fpath[1]}/_choragus"
$ choragus completion fish > ~/.config/fish/completions/choragus.fish
```

## Commands
"""


def page() -> str:
    """The page as it has to be."""
    (commands,) = (one for one in parser()._actions if isinstance(one, _SubParsersAction))
    summaries = {name: one.summary for name, one in COMMANDS.items()}
    codes = "".join(f"| {code.value} | {CODES[code]} |\n" for code in Exit)
    listed = "".join(
        (f"\n{GROUPS[name].capitalize()}:\n\n| command | |\n|---|---|\n" if name in GROUPS else "")
        + f"| [`{name}`](#{name}) | {summary} |\n"
        for name, summary in summaries.items()
    )
    sections = "".join(
        line for name, summary in summaries.items() for line in _section(name, commands.choices[name], summary)
    )
    return f"{HEAD}{codes}{COMPLETION}{listed}{sections}"


def _section(name: str, one: ArgumentParser, summary: str) -> Iterator[str]:
    yield f"\n### {name}\n\n{summary[0].upper()}{summary[1:]}.\n\n"
    yield f"```text\n{_usage(name, one)}\n```\n\n"
    yield textwrap.fill(" ".join((one.description or "").split()), WIDTH) + "\n"
    told = [action for action in one._actions if action.dest != "help" and action.metavar != "FILE"]
    if told:
        yield "\n| | |\n|---|---|\n"
        for action in told:
            yield f"| {_named(action)} | {_cell(action.help or '')}{' (needed)' if _is_needed(action) else ''} |\n"
    _, _, example = (one.epilog or "").partition(":\n")
    lines = "\n".join(f"$ {line.strip()}" for line in example.splitlines())
    yield f"\n```console\n{lines}\n```\n"


def _usage(name: str, one: ArgumentParser) -> str:
    words = [f"choragus {name}"]
    options = [action for action in one._actions if action.option_strings and action.dest != "help"]
    for action in one._actions:
        if not action.option_strings:
            words.append(f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar))
    words += [_plain(action) for action in options if action.required]
    if any(not action.required for action in options):
        words.append("[OPTIONS]")
    return " ".join(words)


def _plain(action: Action) -> str:
    return f"{action.option_strings[-1]} {action.metavar}" if action.nargs != 0 else action.option_strings[-1]


def _named(action: Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar}`"
    *short, long = action.option_strings
    return ", ".join([*(f"`{one}`" for one in short), f"`{long}{f' {action.metavar}' if action.nargs != 0 else ''}`"])


def _is_needed(action: Action) -> bool:
    return bool(action.option_strings) and action.required


def _cell(text: str) -> str:
    return " ".join(text.replace("%%", "%").split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
