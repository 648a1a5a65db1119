"""The interposer itself: each mode does at the call what it says, and nowhere else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .interposer import FOR_EVER, Interposer, Kind, Mode
from .journal import What, read

PROGRAM = """
import os
out = os.open("kept.txt", os.O_WRONLY | os.O_CREAT)
other = os.open("other", os.O_WRONLY | os.O_CREAT)
for call in (lambda: os.write(out, b"first!"), lambda: os.pwrite(out, b"second", 6), lambda: os.fsync(out),
             lambda: os.ftruncate(out, 8), lambda: os.rename("kept.txt", "kept.old"), lambda: os.unlink("kept.old")):
    os.write(other, b"not counted")
    try:
        print(call(), flush=True)
    except OSError as error:
        print(-error.errno, flush=True)
"""


def run(library: Path, folder: Path, at: str, kinds: Kind = Kind.ANY) -> tuple[int, list[str]]:
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "CHORAGUS_CALLS_PATH": "kept",
        "CHORAGUS_CALLS_AT": at,
        "CHORAGUS_CALLS_KINDS": str(int(kinds)),
        "CHORAGUS_CALLS_GRAVE": str(folder / "grave"),
        "CHORAGUS_CALLS_LOG": str(folder / "log"),
    }
    line = [os.path.realpath(sys.executable), "-S", "-c", PROGRAM]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.split()


@pytest.mark.parametrize(
    ("at", "code", "printed", "left"),
    [
        pytest.param("", 0, "6 6 None None None None", None, id="nothing"),
        pytest.param(f"3:{Mode.KILL}", -signal.SIGKILL, "6", b"first!", id="kill before the second write"),
        pytest.param(f"3:{Mode.TORN}", -signal.SIGKILL, "6", b"first!sec", id="kill in its middle"),
        pytest.param(f"5:{Mode.TORN}", -signal.SIGKILL, "6 6 None", b"first!se", id="kill after a truncation"),
        pytest.param(f"3:{Mode.EIO}", 0, f"6 -{errno.EIO} None None None None", None, id="one error"),
        pytest.param(f"3:{Mode.EDQUOT}", 0, f"6 -{errno.EDQUOT} None None None None", None, id="another"),
        pytest.param(f"2:{Mode.SHORT}", 0, "3 6 None None None None", None, id="a short write"),
        pytest.param(f"6:{Mode.EIO},7:{Mode.KILL}", -signal.SIGKILL, f"6 6 None None -{errno.EIO}", None, id="two"),
        pytest.param(f"3:{Mode.EIO}:2", 0, f"6 -{errno.EIO} -{errno.EIO} None None None", None, id="for a while"),
        pytest.param(f"1:{Mode.ENOSPC}", 1, "", None, id="no new file"),
    ],
)
def test_a_mode_does_what_it_says(
    library: Path, tmp_path: Path, at: str, code: int, printed: str, left: bytes | None
) -> None:
    assert run(library, tmp_path, at) == (code, printed.split())
    if left is not None:
        assert (tmp_path / "kept.txt").read_bytes() == left


def test_from_then_on_every_call_of_the_kinds_fails(library: Path, tmp_path: Path) -> None:
    _, printed = run(library, tmp_path, f"2:{Mode.ENOSPC}:{FOR_EVER}", Kind.WRITE | Kind.SYNC)

    assert printed == ["6", f"-{errno.ENOSPC}", f"-{errno.ENOSPC}", "None", "None", "None"]
    assert (tmp_path / "grave").read_text() == "2 pwrite kept.txt 6\n"


def test_the_log_has_what_was_done_and_no_flush_that_was_not(library: Path, tmp_path: Path) -> None:
    (tmp_path / "lying").mkdir()

    run(library, tmp_path, "")
    run(library, tmp_path / "lying", f"1:{Mode.LIE}", Kind.SYNC)

    calls = list(read(tmp_path / "log"))
    assert " ".join(call.what.name for call in calls) == "CREATED WRITTEN WRITTEN FLUSHED RESIZED RENAMED UNLINKED"
    assert [(call.offset, call.data) for call in calls[1:3]] == [(0, b"first!"), (6, b"second")]
    assert calls[5].data == b"kept.old"
    lied = [call.what for call in read(tmp_path / "lying" / "log")]
    assert lied == [call.what for call in calls if call.what is not What.FLUSHED]


def test_without_the_library_it_says_how_to_get_it() -> None:
    with pytest.raises(RuntimeError, match=r"^no interposer in this process: start it under"):
        Interposer()
