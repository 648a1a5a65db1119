"""Run scripts as programs of their own, one after the other, and import what they have in common only once.

    python forked.py FILE...

Beside each FILE stand afterwards FILE.out and FILE.err, what it printed. The exit code is how many have failed.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import choragus.agents
import choragus.supervision  # noqa: F401  # both are there for the scripts


def run(script: str) -> bool:
    """In a process of its own; whether it failed."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    code = 0
    with (
        Path(f"{script}.out").open("w", encoding="utf-8") as out,
        Path(f"{script}.err").open("w", encoding="utf-8") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            runpy.run_path(script, run_name="__main__")
        except BaseException:
            traceback.print_exc()
            code = 1
    os._exit(code)


if __name__ == "__main__":
    sys.exit(sum(run(each) for each in sys.argv[1:]))
