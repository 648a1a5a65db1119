"""Run scripts as programs of their own, one after the other, and import what they have in common only once.

    python forked.py FILE...

Each runs in the folder above its own. Beside FILE stand afterwards FILE.out and FILE.err, what it printed. The exit
code is how many have failed, at most 100.
"""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import choragus.supervision  # noqa: F401  # it is there for the scripts
from choragus.agents import *  # noqa: F403  # all that is behind the door, for the scripts too


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
            os.chdir(Path(script).parent.parent)
            runpy.run_path(script, run_name="__main__")
        except BaseException:
            traceback.print_exc()
            code = 1
    os._exit(code)


if __name__ == "__main__":
    sys.exit(min(100, sum(run(each) for each in sys.argv[1:])))
