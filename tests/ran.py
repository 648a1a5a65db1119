"""A script run in this process: what it needs is imported already; another interpreter takes a second to get there."""

from __future__ import annotations

import io
import runpy
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path


def ran(script: Path, folder: Path) -> str:
    """What the script prints, run in that folder; it must end well, and say nothing on the side."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = [str(script)]
    try:
        with chdir(folder), redirect_stdout(out), redirect_stderr(err):
            runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"{script.name} ended with {end.code}") from end
    finally:
        sys.argv = argv
    assert err.getvalue() == ""
    return out.getvalue()
