"""The commands that a person decides with, beside a live runtime and without one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import anyio
import attrs
import pytest

from choragus.agents import visit
from choragus.agents.approval import Approval
from choragus.agents.cli import approval as approval_command
from choragus.agents.cli.exit import Exit
from choragus.agents.errors import Cancelled
from choragus.agents.inspection import approvals
from choragus.agents.message import GUARDRAIL, Decide
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.mailbox import codec
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import Record, encode
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope

from .cli_clerk import NASTY, RUN, clerk, command, start

Printed = pytest.CaptureFixture[str]


@pytest.fixture
async def run(file: str) -> AsyncIterator[Run]:
    """A live run that waits for approval."""
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        yield await start(runtime, agent)


async def _id(run: Run) -> str:
    (approval,) = await run.pending()
    return approval.id


async def _told(run: Run, kind: str) -> dict[str, object]:
    async for event in run.events():
        if event.kind == kind:
            return event.data
    raise AssertionError(kind)


# approve and deny


async def test_approve_lets_the_run_go_on(file: str, run: Run, capsys: Printed) -> None:
    code = await command("approve", file, await _id(run), "--by", "mia", "--reason", "as agreed")

    assert code == Exit.OK
    assert capsys.readouterr().out.endswith('  | "amount": "120.00"\napproved by mia (as agreed): the run goes on\n')
    assert await run.result(5.0) == "All is paid.\nNothing is left."


async def test_a_decision_is_logged_with_who_why_and_the_hash_of_what_was_shown(file: str, run: Run) -> None:
    (approval,) = await run.pending()

    await command("approve", file, approval.id[:4], "--by", "mia", "--reason", "as agreed")

    said = await _told(run, "approval.decided")
    assert said["approved"] is True
    assert (said["by"], said["reason"], said["hash"]) == ("mia", "as agreed", approval.hash)


async def test_deny_gives_the_model_the_reason(file: str, run: Run, capsys: Printed) -> None:
    code = await command("deny", file, await _id(run), "--by", "mia", "--reason", "wrong week")

    assert code == Exit.OK
    assert capsys.readouterr().out.endswith("denied by mia (wrong week): the run goes on\n")
    await run.result(5.0)
    await command("show", file, run.id)
    assert re.search(r"2\.1    denied     by mia: wrong week\n +\d+  \S+  3 ", capsys.readouterr().out)


async def test_who_decides_is_the_login_name_by_default(file: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "nora")

    await command("approve", file, await _id(run))

    assert (await _told(run, "approval.decided"))["by"] == "nora"


async def test_nobody_decides_nothing(file: str, run: Run, capsys: Printed) -> None:
    code = await command("approve", file, await _id(run), "--by", " ")

    assert code == Exit.USAGE
    assert capsys.readouterr().err == "choragus: nobody is named as deciding: say who with --by NAME\n"
    assert len(await run.pending()) == 1


async def test_seen_as_listed_is_taken(file: str, run: Run) -> None:
    (approval,) = await run.pending()

    assert await command("approve", file, approval.id, "--by", "mia", "--seen", approval.hash[:8]) == Exit.OK


@pytest.mark.parametrize("seen", ["", "0", "00000000"])
async def test_other_arguments_than_seen_are_refused(file: str, run: Run, seen: str, capsys: Printed) -> None:
    code = await command("approve", file, await _id(run), "--by", "mia", "--seen", seen)

    assert code == Exit.USAGE
    assert "look at them again with `choragus approvals" in capsys.readouterr().err
    assert len(await run.pending()) == 1


async def test_arguments_that_change_after_they_were_shown_are_refused(
    file: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """The guardrail has the last word, so there is no gap between looking and deciding."""

    async def stale(store: Store) -> list[Approval]:
        return [attrs.evolve(one, hash="0" * 64) for one in await approvals(store)]

    monkeypatch.setattr(approval_command, "approvals", stale)

    code = await command("approve", file, await _id(run), "--by", "mia")

    assert code == Exit.USAGE
    assert "has other arguments than those decided on: look again" in capsys.readouterr().err
    assert len(await run.pending()) == 1


@pytest.mark.usefixtures("hurry")
async def test_a_decision_waits_for_the_next_owner(waiting: str, capsys: Printed) -> None:
    (id,) = await _approvals(waiting)

    assert await command("approve", waiting, id, "--by", "mia") == Exit.OK

    recorded = f"recorded: it takes effect when {waiting} is next opened by its runtime\n"
    assert capsys.readouterr().out.endswith(recorded)
    async with Runtime(waiting, agents=[clerk()]) as runtime:
        assert (await (await runtime.run(RUN)).result(5.0)).startswith("All is paid.")


@pytest.mark.usefixtures("hurry")
async def test_a_second_decision_is_refused_while_the_first_waits(waiting: str, capsys: Printed) -> None:
    (id,) = await _approvals(waiting)
    await command("deny", waiting, id, "--by", "mia")

    code = await command("approve", waiting, id, "--by", "nora")

    assert code == Exit.USAGE
    assert f"approval {id} is already denied by mia" in capsys.readouterr().err
    await command("approvals", waiting)
    assert f"  denied by mia; it takes effect when {waiting} is next opened" in capsys.readouterr().out


async def test_a_decision_that_came_too_late_is_refused(file: str, run: Run, capsys: Printed) -> None:
    id = await _id(run)
    await command("approve", file, id, "--by", "mia")

    code = await command("deny", file, id, "--by", "nora")

    assert code == Exit.USAGE
    assert f"no approval '{id}' in {file}" in capsys.readouterr().err


async def test_a_visitor_hears_the_guardrails_refusal(file: str, run: Run) -> None:
    decision = Decide(call="9.9", approved=True, by="mia", hash="")
    store = await SqliteStore.open(file, visitor=True)

    fate = await visit.post(store, actor_id(GUARDRAIL, run.id), decision)

    await store.close()
    refusal = f"call 9.9 of run {run.id} is not waiting for a decision: see `choragus approvals`"
    assert fate == visit.Handled(refusal)


# cancel


async def test_cancel_ends_a_live_run(file: str, run: Run, capsys: Printed) -> None:
    code = await command("cancel", file, run.id[:6], "--by", "mia", "--reason", "wrong week")

    assert code == Exit.OK
    assert capsys.readouterr().out == f"run {run.id} is cancelled by mia\n"
    with pytest.raises(Cancelled, match=r"cancelled by mia: wrong week"):
        await run.result(5.0)


@pytest.mark.usefixtures("hurry")
async def test_cancel_waits_for_the_next_owner(waiting: str, capsys: Printed) -> None:
    assert await command("cancel", waiting, RUN, "--by", "mia") == Exit.OK

    assert capsys.readouterr().out.startswith("recorded: ")
    async with Runtime(waiting, agents=[clerk()]) as runtime:
        with pytest.raises(Cancelled, match=r"cancelled by mia$"):
            await (await runtime.run(RUN)).result(5.0)


async def test_an_approval_of_an_ended_run_is_gone(file: str, run: Run, capsys: Printed) -> None:
    id = await _id(run)
    await command("cancel", file, run.id, "--by", "mia")

    assert await command("approve", file, id, "--by", "mia") == Exit.USAGE
    await command("approvals", file)
    assert capsys.readouterr().out.endswith(f"nothing in {file} waits for a person\n")


# show --follow


async def test_follow_prints_what_comes_until_the_run_ends(file: str, run: Run, capsys: Printed) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(command, "show", file, run.id, "--follow")
        shown = ""
        while "waits" not in shown:
            await anyio.sleep(0.01)
            shown += capsys.readouterr().out
        await run.approve(*await run.pending(), by="mia")

    text = shown + capsys.readouterr().out
    assert re.search(r"waits .*\n +\d+  \S+  2\.1    approved   by mia\n(.*\n)*.*completed .*\n  \| All is paid", text)
    assert text.count("started    clerk") == 1


# parked and requeue


async def _park(file: str, run: Run) -> None:
    """Send the guardrail a message that nobody knows, and see it parked."""
    store = await SqliteStore.open(file, visitor=True)
    receiver = actor_id(GUARDRAIL, run.id)
    body = encode(Decide(call="9.9", approved=True, by="", hash="")).body
    stranger = Envelope(id="stranger's", receiver=receiver, sender="", record=Record("strange.thing", 1, body))
    await store.append([stranger])
    fate = await visit.follow(store, receiver, stranger.id)
    await store.close()
    assert isinstance(fate, visit.SetAside)


async def test_parked_lists_what_could_not_be_handled(file: str, run: Run, capsys: Printed) -> None:
    await _park(file, run)

    await command("parked", file)

    head, message, sender, reason, hint = capsys.readouterr().out.splitlines()
    assert re.match(rf"[0-9a-f]{{8}}  strange\.thing to choragus\.guardrail/{run.id}, parked 20", head)
    assert (message, sender) == ("  message stranger's", "  from nobody")
    assert reason.startswith("  | no class is stored as 'strange.thing'")
    assert hint == f"  choragus requeue {file} {head[:8]}"


@pytest.mark.parametrize("by_id", [True, False], ids=["by id", "by receiver and message"])
async def test_requeue_says_when_a_message_is_parked_again(file: str, run: Run, by_id: bool, capsys: Printed) -> None:
    await _park(file, run)
    await command("parked", file)
    id = capsys.readouterr().out[:8]

    named = [id[:5]] if by_id else [actor_id(GUARDRAIL, run.id), "stranger's"]
    code = await command("requeue", file, *named)

    assert code == Exit.PROBLEMS
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("parked, because it could not be handled: no class is stored as 'strange.thing'")
    assert second == f"look at it with `choragus parked {file}`"


async def test_requeue_says_when_a_message_is_handled(
    file: str, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    """The cause is mended: the name that nobody knew is known now."""
    await _park(file, run)
    monkeypatch.setitem(codec._classes, "strange.thing", Decide)

    code = await command("requeue", file, actor_id(GUARDRAIL, run.id), "stranger's")

    assert code == Exit.OK
    assert capsys.readouterr().out == f"requeued, and handled by choragus.guardrail/{run.id}\n"


@pytest.mark.usefixtures("hurry")
async def test_requeue_waits_for_the_next_owner(file: str, capsys: Printed) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        await _park(file, await start(runtime, agent))

    assert await command("requeue", file, actor_id(GUARDRAIL, RUN), "stranger's") == Exit.OK

    assert capsys.readouterr().out.startswith("recorded: ")


async def _approvals(file: str) -> list[str]:
    store = await SqliteStore.open(file, visitor=True)
    found = await approvals(store)
    await store.close()
    assert [one.arguments["invoice"] for one in found] == [NASTY]
    return [one.id for one in found]
