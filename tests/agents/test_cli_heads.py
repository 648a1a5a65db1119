"""`choragus heads` and `choragus verify --heads`: what was exported and signed before shows what was done since."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from choragus.agents import Agent, Runtime, ScriptedModel
from choragus.agents.cli import main
from choragus.mailbox.errors import HeadsRefused
from choragus.mailbox.heads import heads_from

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def ended(file: str) -> str:
    """A file with a run that has ended."""
    anyio.run(_end_a_run, file)
    return file


async def _end_a_run(file: str) -> None:
    clerk = Agent("clerk", model=ScriptedModel(["done"]))
    async with Runtime(file, agents=[clerk]) as runtime:
        await (await runtime.start(clerk, "Go.", key="a")).result()


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "audit.key"
    path.write_bytes(KEY + b"\n")
    return str(path)


def exported(file: str, capsys: pytest.CaptureFixture[str], *options: str) -> Path:
    assert main(["heads", file, *options]) == 0
    path = Path(file).with_name("heads.json")
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


def test_a_file_goes_on_from_its_exported_heads(ended: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    heads = exported(ended, capsys, "--streams", "--sign", key)

    assert main(["verify", ended, "--heads", str(heads), "--key", key]) == 0
    assert "it goes on from the heads of" in capsys.readouterr().out
    assert main(["verify", ended, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["whole"] is True


def test_s24_a_file_that_was_cut_off_is_not_that_of_the_heads(
    ended: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = exported(ended, capsys, "--streams", "--sign", key)
    with closing(sqlite3.connect(ended)) as connection:
        connection.execute("DELETE FROM entry WHERE batch = (SELECT max(number) FROM batch)")
        connection.execute("DELETE FROM batch WHERE number = (SELECT max(number) FROM batch)")
        connection.commit()

    assert main(["verify", ended, "--heads", str(heads), "--key", key]) == 1

    told = capsys.readouterr().out
    assert "and the exported heads are those of batch" in told
    assert "of the exported heads is missing: the end was removed" in told


def test_heads_that_nobody_has_signed_with_the_key_prove_nothing(
    ended: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = exported(ended, capsys, "--sign", key)
    other = tmp_path / "other.key"
    other.write_bytes(KEY[::-1])

    assert main(["verify", ended, "--heads", str(heads), "--key", str(other)]) == 3
    assert "were not signed with this key, or changed since" in capsys.readouterr().err
    heads.write_text(heads.read_text(encoding="utf-8").replace('"entries": ', '"entries": 1'), encoding="utf-8")
    assert main(["verify", ended, "--heads", str(heads), "--key", key]) == 3
    assert main(["verify", ended, "--heads", str(heads)]) == 3
    assert "nobody has checked by whom: give the key" in capsys.readouterr().err
    assert main(["verify", ended, "--key", key]) == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "these are no exported heads"),
        ("[]", "these are no exported heads"),
        ('{"format": "choragus heads 1"}', "these are no exported heads"),
    ],
    ids=["empty", "list", "half"],
)
def test_what_is_no_heads_is_refused(text: str, fault: str) -> None:
    with pytest.raises(HeadsRefused, match=fault):
        heads_from(text)


def test_a_key_that_is_too_short_is_refused(ended: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = tmp_path / "short.key"
    short.write_bytes(b"abc\n")

    assert main(["heads", ended, "--sign", str(short)]) == 3
    assert "has 3 bytes, and 16 are the least: `openssl rand -hex 32`" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_heads_may_be_signed_by_ssh_keygen(ended: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads, own = exported(ended, capsys, "--streams"), tmp_path / "auditor"
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own))
    signers = tmp_path / "signers"
    signers.write_text(f"auditor {own.with_suffix('.pub').read_text(encoding='utf-8')}", encoding="utf-8")

    _run("ssh-keygen", "-Y", "sign", "-f", str(own), "-n", "choragus", str(heads))

    check = ("-f", str(signers), "-I", "auditor", "-n", "choragus", "-s", f"{heads}.sig")
    _run("ssh-keygen", "-Y", "verify", *check, given=heads.read_bytes())
    assert main(["verify", ended, "--heads", str(heads)]) == 0


def _run(*command: str, given: bytes = b"") -> None:
    subprocess.run(command, input=given, check=True, capture_output=True, timeout=30)
