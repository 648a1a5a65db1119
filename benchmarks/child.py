"""Runs a script as Python would, and leaves behind how much memory it took at most.

python benchmarks/child.py FIGURES SCRIPT [ARGUMENT ...]
"""

from __future__ import annotations

import atexit
import resource
import runpy
import sys
from pathlib import Path


def peak() -> int:
    """Bytes of memory that this process held at most."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    figures, script = Path(sys.argv[1]), Path(sys.argv[2])
    atexit.register(lambda: figures.write_text(str(peak())))
    sys.argv = sys.argv[2:]
    sys.path[0] = str(script.parent)
    runpy.run_path(str(script), run_name="__main__")
