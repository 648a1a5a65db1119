"""`choragus fork`: beside the runtime that owns the file, and when nobody does; and what show and verify say of it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import attrs
import pytest

from choragus.agents.cli.exit import Exit
from choragus.agents.limits import Limits
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime

from .cli_clerk import GOAL, RUN, clerk, command, start
from .play import kinds, soon, until

NOT = f"run '{RUN}' cannot be forked: "

Printed = pytest.CaptureFixture[str]


@pytest.fixture
async def runtime(file: str) -> AsyncIterator[Runtime]:
    """A runtime that owns the file, with a run that waits for approval."""
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        await start(runtime, agent)
        yield runtime


def _new(printed: str) -> str:
    """The new run's id."""
    found = re.match(r"run ([0-9a-f]{12}): run ", printed)
    assert found is not None, printed
    return found[1]


async def _begun(runtime: Runtime, id: str) -> Run:
    """The run of that id, as soon as it is there."""

    async def there() -> bool:
        return id in [one.run for one in await runtime.runs()]

    await soon(there)
    return await runtime.run(id)


async def test_the_owner_begins_the_fork(file: str, runtime: Runtime, capsys: Printed) -> None:
    code = await command("fork", file, RUN[:4], "--at", "9", "--by", "mia")

    said, id = capsys.readouterr().out, ""
    id = _new(said)
    assert (code, said) == (
        Exit.OK,
        f"run {id}: run {RUN} at 9, step 1\nforked by mia: choragus show {file} {id}\n",
    )
    fork = await runtime.run(id)
    first = await anext(fork.past())
    assert (first.kind, first.data["position"], first.data["by"]) == ("stream.forked", 9, "mia")
    await until(fork, "approval.requested")


async def test_without_an_owner_it_begins_when_the_file_is_opened(waiting: str, hurry: None, capsys: Printed) -> None:
    code = await command("fork", waiting, RUN, "--key", "again")

    first, second = capsys.readouterr().out.splitlines()
    assert (code, second) == (Exit.OK, f"recorded: it takes effect when {waiting} is next opened by its runtime")
    async with Runtime(waiting, agents=[clerk()]) as runtime:
        await until(await _begun(runtime, _new(first)), "approval.requested")
        assert [one.key for one in await runtime.runs()] == ["W47", "again"]


async def test_a_fork_that_is_recorded_twice_begins_once(waiting: str, hurry: None, capsys: Printed) -> None:
    for at in ("9", "9", "8"):
        await command("fork", waiting, RUN, "--at", at, "--key", "again")
    id = _new(capsys.readouterr().out)

    async with Runtime(waiting, agents=[clerk()]) as runtime:
        fork = await _begun(runtime, id)
        await until(fork, "approval.requested")

        assert (await anext(fork.past())).data["position"] == 9
        assert (await kinds(fork)).count("stream.forked") == (await kinds(fork)).count("run.started") == 1


async def test_a_recorded_fork_of_an_agent_that_changed_is_held(waiting: str, hurry: None, capsys: Printed) -> None:
    await command("fork", waiting, RUN)
    id = _new(capsys.readouterr().out)

    async with Runtime(waiting, agents=[attrs.evolve(clerk(), limits=Limits(steps=3))]) as runtime:
        assert [one.run for one in runtime.held] == [RUN, id]
        assert [one.run for one in await runtime.runs()] == [RUN]

    async with Runtime(waiting, agents=[clerk()]) as runtime:
        await until(await _begun(runtime, id), "approval.requested")


async def test_an_owner_whose_agent_has_changed_refuses(waiting: str, capsys: Printed) -> None:
    async with Runtime(waiting, agents=[attrs.evolve(clerk(), limits=Limits(steps=3))]) as runtime:
        code = await command("fork", waiting, RUN)

        assert code == Exit.USAGE
        assert re.match(rf"choragus: run '{RUN}' is held: agent 'clerk' has changed", capsys.readouterr().err)
        assert len(await runtime.runs()) == 1
        (told,) = [entry for entry in await runtime.store.read("system") if entry.kind == "fork.refused"]
        assert RUN in told.body.decode()


async def test_the_same_key_again_says_so(file: str, runtime: Runtime, capsys: Printed) -> None:
    await command("fork", file, RUN, "--at", "9", "--key", "again")
    id = _new(capsys.readouterr().out)

    assert await command("fork", file, RUN, "--at", "9", "--key", "again") == Exit.OK

    assert capsys.readouterr().out == f"run {id} is that fork already: run {RUN} at 9\n"
    assert len(await runtime.runs()) == 2


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("nothing",), "no run 'nothing' in FILE: list them with `choragus runs FILE`"),
        (
            (RUN, "--at", "0"),
            rf"{NOT}not at 0: its logbook has positions 1 to (\d+); fork it at 1",
        ),
        (
            (RUN, "--at", "999"),
            rf"{NOT}not at 999: its logbook has positions 1 to \d+; fork it at",
        ),
        (
            (RUN, "--key", "W47"),
            rf"{NOT}key 'W47' already names run {RUN}, which is no such fork",
        ),
    ],
    ids=["unknown run", "position 0", "position behind the last", "key of another run"],
)
async def test_what_cannot_be_forked_is_refused(
    file: str, runtime: Runtime, argv: tuple[str, ...], says: str, capsys: Printed
) -> None:
    code = await command("fork", file, *argv)

    assert code == Exit.USAGE
    assert re.match(f"choragus: {says.replace('FILE', re.escape(file))}", capsys.readouterr().err)
    assert len(await runtime.runs()) == 1


async def test_show_prints_positions_to_fork_at(file: str, runtime: Runtime, capsys: Printed) -> None:
    run = await runtime.run(RUN)
    await command("show", file, RUN)

    text = capsys.readouterr().out

    assert "\n  AT  TIME      STEP   WHAT\n" in text
    positions = {event.kind: event.position async for event in run.past()}
    assert re.search(rf"^ +1  \S+  +started    clerk: {GOAL}$", text, re.MULTILINE)
    assert re.search(rf"^ +{positions['approval.requested']}  \S+  2\.1    waits", text, re.MULTILINE)


async def test_show_of_a_fork_says_from_where(file: str, runtime: Runtime, capsys: Printed) -> None:
    fork = await runtime.fork(RUN, at=9, by="mia")

    await command("show", file, fork.id)

    assert re.search(rf"^   1  \S+ +forked     from run {RUN} at 9, by mia$", capsys.readouterr().out, re.MULTILINE)


async def test_verify_counts_forks(file: str, runtime: Runtime, capsys: Printed) -> None:
    await runtime.fork(RUN, at=9)
    await runtime.fork(RUN, at=5)

    assert await command("verify", file) == Exit.OK

    assert capsys.readouterr().out.endswith("; forks: 2\n")


async def test_verify_finds_a_damaged_citation(file: str, capsys: Printed) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        await start(runtime, agent)
        fork = await runtime.fork(RUN, at=9)
        await until(fork, "approval.requested")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), ':9', ':8') AS BLOB) WHERE kind = 'stream.forked'"
        )
        connection.commit()

    assert await command("verify", file) == Exit.PROBLEMS

    said = capsys.readouterr().out
    assert f"entry 1 of stream 'run/{fork.id}' (stream.forked) does not match its hash" in said
    assert f"entry 1 of stream 'run/{fork.id}' does not cite the hash of entry 8 of stream 'run/{RUN}'" in said


async def test_a_pruned_run_is_refused(file: str, capsys: Printed) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        run: Run = await start(runtime, agent)
        await run.cancel()
        while run.id not in (await runtime.prune(older_than=0.0)).runs:
            pass
        assert await kinds(run) == []

        assert await command("fork", file, RUN) == Exit.USAGE

    assert re.match(rf"choragus: run '{RUN}' cannot be forked: it was pruned: ", capsys.readouterr().err)
