"""`choragus doctor`: what it finds, what it says to do, and when it says that a person is needed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from choragus.agents.cli import doctor, main
from choragus.agents.cli.exit import Exit
from choragus.agents.runtime import Runtime
from choragus.mailbox.reader import digest

from .cli_clerk import clerk, complete, leave_waiting, start

Look = Callable[[str], dict[str, dict[str, str]]]


@pytest.fixture
def done(tmp_path: Path) -> str:
    """A file with one completed run."""
    path = tmp_path / "runs.db"
    anyio.run(complete, path)
    return str(path)


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Look:
    """What is found, by what it is about."""

    def found(file: str) -> dict[str, dict[str, str]]:
        code = main(["doctor", file, "--json"])
        findings = {one["about"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
        assert (code == Exit.PROBLEMS) == any(one["level"] == "needs you" for one in findings.values())
        return findings

    return found


def test_nothing_needs_a_person_where_all_is_well(done: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", done]) == Exit.OK

    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{done}: nothing needs a person"
    assert any(line.startswith("ok         owner       nobody; the last ended in order") for line in lines)


def test_what_waits_for_a_person_is_found_with_its_command(tmp_path: Path, look: Look) -> None:
    path = tmp_path / "runs.db"
    anyio.run(leave_waiting, path)

    found = look(str(path))["approvals"]

    assert found["level"] == "needs you"
    assert found["told"].startswith("1 decision to be made by a person, the oldest asked for ")
    assert found["remedy"] == f"choragus approvals {path}"


def test_a_live_owner_with_mail_that_nobody_takes_is_found(tmp_path: Path, look: Look) -> None:
    path = tmp_path / "runs.db"

    async def alive() -> dict[str, dict[str, str]]:
        agent = clerk()
        async with Runtime(path, agents=[agent]) as runtime:
            await start(runtime, agent)
            with closing(sqlite3.connect(path)) as connection:
                names = [row[1] for row in connection.execute("PRAGMA table_info(message)")]
                row: dict[str, object] = dict.fromkeys(names, "")
                row |= {"receiver": "nobody/1", "id": "1", "seq": 10**6, "body": b"{}", "digest": b"", "shard": 0}
                row |= dict.fromkeys(("version", "answer", "attempts", "interrupted", "started"), 0)
                row |= dict.fromkeys(("due", "not_before"), 0.0)
                marks = ", ".join("?" * len(names))
                quoted = ", ".join(f'"{name}"' for name in names)
                connection.execute(f"INSERT INTO message ({quoted}) VALUES ({marks})", [row[name] for name in names])
                connection.commit()
            return await anyio.to_thread.run_sync(look, str(path))

    found = anyio.run(alive)

    assert found["owner"]["told"].startswith("process ")
    assert (found["mail"]["level"], "nobody/1" in found["mail"]["told"]) == ("needs you", True)


def _lease(path: str, **changes: object) -> None:
    with closing(sqlite3.connect(path)) as connection:
        names = ("id", "node", "fence", "expires", "clean", "pid", "locked")
        row = dict(zip(names, connection.execute(f"SELECT {', '.join(names)} FROM lease").fetchone(), strict=True))
        row |= changes
        sealed = digest(*row.values())
        connection.execute(
            "UPDATE lease SET expires = ?, clean = ?, pid = ?, locked = ?, digest = ?",
            (row["expires"], row["clean"], row["pid"], row["locked"], sealed),
        )
        connection.commit()


@pytest.mark.parametrize(
    ("changes", "says", "level"),
    [
        ({"clean": 0, "pid": 2**22 + 1, "expires": 0.0}, f"nobody; process {2**22 + 1} was killed, or crashed", "ok"),
        (
            {"clean": 0, "pid": 1, "expires": 1.0, "locked": 1},
            "process 1, which has not renewed its lease",
            "needs you",
        ),
        ({"clean": 0, "pid": 1, "expires": 1e12, "locked": 1}, "process 1, lease for ", "ok"),
    ],
    ids=["killed", "silent", "alive"],
)
def test_the_owner_is_told_by_its_lease(
    changes: dict[str, object], says: str, level: str, done: str, look: Look
) -> None:
    _lease(done, **changes)

    found = look(done)["owner"]

    assert found["told"].startswith(says)
    assert found["level"] == level


def test_runs_that_nobody_goes_on_with_need_a_service(done: str, look: Look) -> None:
    with closing(sqlite3.connect(done)) as connection:
        (row,) = connection.execute("SELECT kind, key, scope, sort, body FROM view WHERE kind = 'run'").fetchall()
        body = row[4].replace(b'"completed"', b'"running"')
        connection.execute("UPDATE view SET body = ?, digest = ? WHERE kind = 'run'", (body, digest(*row[:4], body)))
        connection.commit()

    found = look(done)["owner"]

    assert found["told"].endswith("1 run running, which nobody goes on with")
    assert found["remedy"] == "start the service again, or: choragus serve --app MODULE:NAME"


def test_little_room_a_large_log_and_missing_extras_are_told(
    done: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LITTLE_ROOM", 10**18)
    monkeypatch.setattr(doctor, "LARGE_WAL", -1)
    monkeypatch.setattr(doctor, "EXTRAS", {"web": ("no-such-distribution",)})

    found = look(done)

    assert found["disk"]["level"] == "needs you"
    assert found["size"]["level"] == "note"
    assert found["versions"]["remedy"] == "as far as you need them: pip install 'choragus[web]'"
    assert found["versions"]["level"] == "ok"


def test_a_remedy_is_printed_on_one_line(
    done: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = {f"extra-{letter}": ("no-such-distribution",) for letter in "abcdefghijkl"}
    monkeypatch.setattr(doctor, "EXTRAS", extras)

    main(["doctor", done])

    assert f"pip install 'choragus[{','.join(extras)}]'" in capsys.readouterr().out


def test_a_run_that_is_refused_is_found(done: str, look: Look) -> None:
    row = ("refused", "5f2c", "clerk", 1.0, b'{"run":"5f2c","agent":"clerk","now":"ab","changes":["prompt"]}')
    with closing(sqlite3.connect(done)) as connection:
        connection.execute(
            "INSERT INTO view (kind, key, scope, sort, body, digest) VALUES (?, ?, ?, ?, ?, ?)", (*row, digest(*row))
        )
        connection.commit()

    found = look(done)["refused"]

    assert found["told"] == "run 5f2c: refused: identity changed (prompt)"
    assert found["remedy"] == f"choragus show {done} 5f2c"
