"""`choragus stats`: the five figures with their intervals, and a line for each group, within 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from choragus.agents.cli.exit import Exit
from choragus.agents.figures.production import GROUPS
from choragus.agents.runtime import Runtime

from .cli_clerk import command
from .play import scripted

Printed = pytest.CaptureFixture[str]


async def test_stats_prints_the_five_figures(many: Path, capsys: Printed) -> None:
    code = await command("stats", str(many))

    lines = capsys.readouterr().out.splitlines()
    assert code == Exit.OK
    assert lines == [
        "64 runs ended, 6 go on: all of the file",
        "  completed      84.4% (73.6 to 91.3), 54 of 64",
        "  errors         15.6% (8.7 to 26.4), 10 of 64",
        "  asked a person 100.0% (94.3 to 100.0), 64 of 64; 1.00 times a run",
        "  cost per run   $0.0007 ($0.0007 to $0.0007); $0.0009 a completed one",
        *lines[5:7],
        "  ended as       54 completed, 10 failed",
    ]
    assert lines[5].startswith("  time, median   6.0 s (5.0 s to 9.0 s); ")
    assert lines[6] == "  time           90 % within 12.0 s (11.0 s to 13.0 s); 99 % within 13.0 s"


@pytest.mark.parametrize("by", GROUPS)
@pytest.mark.parametrize("width", [80, 100])
async def test_each_table_fits_the_page(
    many: Path, by: str, width: int, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choragus.agents.cli.counting.page", lambda: width)

    code = await command("stats", str(many), "--by", by)

    lines = capsys.readouterr().out.splitlines()
    header = lines[lines.index("") + 1].split()
    assert code == Exit.OK
    assert header == [
        by.upper(),
        "ENDED",
        *(["OPEN"] if width == 100 else []),
        *["DONE", "ERRORS", "ASKED", "COST", "MEDIAN", "P90"],
    ]
    assert max(map(len, lines)) <= width


async def test_stats_as_json_has_everything(many: Path, capsys: Printed) -> None:
    await command("stats", str(many), "--by", "tool", "--json")

    told = json.loads(capsys.readouterr().out)
    assert told["total"]["completion"]["k"] == 54
    assert told["groups"]["pay"]["ended"] == 64
    assert told["calls"]["look"]["calls"] == 70
    assert told["calls"]["look"]["seconds"]["median"]["low"] is not None


async def test_stats_says_when_there_is_nothing(many: Path, capsys: Printed) -> None:
    codes = [
        await command("stats", str(many), "--agent", "nobody"),
        await command("stats", str(many), "--since", "soon"),
    ]

    printed = capsys.readouterr()
    assert codes == [Exit.OK, Exit.USAGE]
    assert "no run has ended in it, so there are no figures" in printed.out
    assert "--since='soon' is no time" in printed.err


async def test_a_tenant_can_fake_no_line(file: str, capsys: Printed) -> None:
    agent = scripted("done")
    async with Runtime(file, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.", tenant="a\n\x1b[2Jb")).result(5)

    await command("stats", file, "--by", "tenant")

    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "a\\n\\u001b[2Jb" in printed
