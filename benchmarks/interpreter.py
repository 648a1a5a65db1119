"""Fresh Python processes whose modules are compiled beforehand, as those of an installed program are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter


class Interpreter:
    """Starts Python with a bytecode cache of its own in `folder`, which a first run of the same command fills.

    Without it an environment that forbids writing bytecode (containers often do) would have choragus compiled at every
    start, and its dependencies not.
    """

    def __init__(self, folder: Path) -> None:
        forbidden = "PYTHONDONTWRITEBYTECODE"
        self._environment = {name: value for name, value in os.environ.items() if name != forbidden}
        self._environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")

    def run(self, *arguments: str) -> str:
        """What the process prints.

        Raises:
            CalledProcessError: when it fails.
        """
        command = [sys.executable, *arguments]
        ended = subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=self._environment
        )
        return ended.stdout

    def first_line(self, *arguments: str) -> float:
        """Seconds from the start of the process to its first line, behind which it is ended.

        Raises:
            RuntimeError: when it prints nothing.
        """
        began = perf_counter()
        with subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self._environment
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            taken = perf_counter() - began
            process.stdout.close()
            process.kill()
        if not line:
            raise RuntimeError(f"{arguments} has printed nothing")
        return taken
