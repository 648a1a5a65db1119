"""Decisions by the page: bound to what was shown, taken by the owner or left for it, and never by accident."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("httpx2", reason="the client of these tests")

from tests.agents.cli_clerk import clerk
from tests.agents.people_play import Paid, asker, payer, question
from tests.agents.play import data, kinds

from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.approver import Approvals
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.web import runs_app
from choragus.agents.web.cards import edits

from .asking import TOKEN, Asking, asking, by_header, forms, text
from .filling import Row, put


@asynccontextmanager
async def mounted(path: Path, agent: Agent) -> AsyncIterator[tuple[Asking, Run, str]]:
    """A run that waits, behind the page of its own runtime, where mia is known by the host."""
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        async with asking(runs_app(runtime, identify=by_header), token="") as page:
            page.client.headers["x-user"] = "mia"
            yield page, run, approval.id


async def decide(page: Asking, id: str, decision: str, **fields: str) -> int:
    """Send the form of an approval as it stands, with changes; gives the status of the last answer."""
    form = await page.form("/waiting", f"form-{id}")
    named = {name.replace("argument_", "argument."): value for name, value in fields.items()}
    return (await page.post(f"/waiting/{id}", {**form, "decision": decision, **named})).status_code


async def test_a_call_is_approved_with_another_argument_by_who_the_host_says(tmp_path: Path) -> None:
    paid: Paid = []
    async with mounted(tmp_path / "runs.db", payer(paid)) as (page, run, id):
        status = await decide(page, id, "approve", argument_amount="120.00", reason="agreed", by="eve")
        await run.result(5)
        (decided,) = await data(run, "approval.decided")

    assert (status, paid) == (200, [("A-17", Decimal("120.00"))])
    assert (decided["by"], decided["reason"], decided["seen"]) == ("mia", "agreed", "page-1")
    assert decided["identity"] == {"method": "page by the host", "client": "10.0.0.7"}


async def test_a_form_that_is_sent_as_it_stands_changes_no_argument(tmp_path: Path) -> None:
    async with mounted(tmp_path / "runs.db", payer([])) as (page, run, id):
        await decide(page, id, "approve")
        await run.result(5)
        (decided,) = await data(run, "approval.decided")

    assert "arguments" not in decided


@pytest.mark.parametrize(
    ("field", "typed", "changed"),
    [
        ("text", "plain\nand long", None),
        ("text", "other", {"text": "other"}),
        ("hidden", '"a\\u202eb"', None),
        ("hidden", '"ab"', {"hidden": "ab"}),
        ("count", "3", None),
        ("count", "4", {"count": 4}),
        ("many", "[1]", {"many": [1]}),
        ("unknown", "x", None),
    ],
)
def test_only_what_was_changed_is_an_edit(field: str, typed: str, changed: dict[str, object] | None) -> None:
    arguments: dict[str, object] = {"text": "plain\nand long", "hidden": "a\u202eb", "count": 3, "many": [1, 2]}
    approval = Approval(id="a", run="r", call="1.1", tool="t", arguments=arguments, hash="h", asked=1.0)

    assert edits(approval, {f"argument.{field}": typed}) == changed


async def test_a_call_is_denied_and_the_model_reads_why(tmp_path: Path) -> None:
    paid: Paid = []
    async with mounted(tmp_path / "runs.db", payer(paid)) as (page, run, id):
        await decide(page, id, "deny", reason="not now")

        assert (await run.result(5), paid) == ("denied by mia: not now", [])


@pytest.mark.parametrize(
    ("options", "answer", "status"), [(("W1", "W2"), "W2", 200), (("W1", "W2"), "W3", 422), ((), "", 422)]
)
async def test_a_question_is_answered(tmp_path: Path, options: tuple[str, ...], answer: str, status: int) -> None:
    async with mounted(tmp_path / "runs.db", asker(*options)) as (page, run, id):
        shown = (await page.get("/waiting")).text
        got = await decide(page, id, "answer", answer=answer)

        assert got == status
        assert shown.count('name="answer"') == max(1, len(options))
        assert len(await run.pending()) == (0 if status == 200 else 1)


@pytest.mark.parametrize(
    ("decision", "fields", "told"),
    [
        ("approve", {"argument_amount": "a lot"}, "Invalid decimal string"),
        ("answer", {}, "by one of the buttons"),
        ("", {}, "by one of the buttons"),
        ("approve", {"reason": "x" * 10_001}, "at most 10000 characters"),
    ],
    ids=["unfit argument", "not for calls", "no button", "long reason"],
)
async def test_what_cannot_be_taken_is_told_beside_what_was_typed(
    tmp_path: Path, decision: str, fields: dict[str, str], told: str
) -> None:
    async with mounted(tmp_path / "runs.db", payer([])) as (page, run, id):
        form = {**await page.form("/waiting", f"form-{id}"), "reason": "typed before"}
        named = {name.replace("argument_", "argument."): value for name, value in fields.items()}
        answer = await page.post(f"/waiting/{id}", {**form, "decision": decision, **named})

        assert answer.status_code in (409, 422)
        assert told in text(answer.text)
        again = forms(answer.text)[f"form-{id}"]
        assert again["reason"] == named.get("reason", "typed before")
        assert len(await run.pending()) == 1


async def test_s35_a_decision_about_other_arguments_than_were_shown_is_none(tmp_path: Path) -> None:
    async with mounted(tmp_path / "runs.db", payer([])) as (page, run, id):
        assert await decide(page, id, "approve", hash="0" * 64) == 409
        assert await decide(page, id, "approve", hash="") == 409

        assert "approval.decided" not in await kinds(run)


async def test_s39_each_approval_is_a_form_of_its_own_and_enter_sends_none(tmp_path: Path) -> None:
    agent = payer([])
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        runs = [await runtime.start(agent, f"Pay {number}.") for number in range(3)]
        ids = [(await question(run)).id for run in runs]
        async with asking(runs_app(runtime, token=TOKEN)) as page:
            shown = (await page.get("/waiting")).text
            await decide(page, ids[1], "deny", by="mia")

            assert sum(f'action="/waiting/{id}"' in shown for id in ids) == 3
            assert shown.count('<button type="submit" disabled hidden') == 3
            assert [len(await run.pending()) for run in runs] == [1, 0, 1]


async def test_who_decides_has_to_be_named_where_no_host_says_it(tmp_path: Path) -> None:
    agent = payer([])
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        approval = await question(await runtime.start(agent, "Pay."))
        async with asking(runs_app(runtime, token=TOKEN)) as page:
            assert [await decide(page, approval.id, "approve", by=by) for by in ("", "  ", "x" * 201)] == [422] * 3
            assert await decide(page, approval.id, "approve", by="mia") == 200


async def test_a_quorum_is_shown_and_counted(tmp_path: Path) -> None:
    agent = payer([], approvals=Approvals(chain=[("mia", "bo")], quorum=2))
    async with mounted(tmp_path / "runs.db", agent) as (page, run, id):
        await decide(page, id, "approve")
        shown = text((await page.get("/waiting")).text)
        page.client.headers["x-user"] = "eve"
        refused = await decide(page, id, "approve")
        page.client.headers["x-user"] = "bo"
        await decide(page, id, "approve")
        await run.result(5)

    assert "put to mia, bo; 2 have to approve; so far mia" in shown
    assert refused == 409


async def test_what_was_decided_already_is_told(tmp_path: Path) -> None:
    async with mounted(tmp_path / "runs.db", payer([])) as (page, run, id):
        form = {**await page.form("/waiting", f"form-{id}"), "decision": "approve"}
        await page.post(f"/waiting/{id}", form)
        await run.result(5)

        again = await page.post(f"/waiting/{id}", form)

    assert (again.status_code, "it was decided, has lapsed, or never was" in again.text) == (404, True)


async def test_a_decision_beside_no_owner_is_left_and_taken_up_by_the_next(waiting: Path) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        form = {**await page.form("/run/e0f00c5f0276", "form-cce71c0a"), "decision": "approve", "by": "mia"}
        first = await page.post("/waiting/cce71c0a", {**form, "argument.amount": "1.00"})
        second = await page.post("/waiting/cce71c0a", form)
        shown = text((await page.get("/waiting")).text)

    agent = clerk()
    async with Runtime(waiting, agents=[agent]) as runtime:
        run = await runtime.run("e0f00c5f0276")
        await run.result(5)
        (decided,) = await data(run, "approval.decided")
    assert str(first.url).endswith("/run/e0f00c5f0276?told=left&about=cce71c0a")
    assert "approved by mia: that takes effect when the runtime takes it up" in shown
    assert "It takes effect when the file is next opened by its runtime" in first.text
    assert (second.status_code, "has decided about it already" in second.text) == (409, True)
    assert (decided["by"], decided["identity"]) == ("mia", {"method": "page", "client": "10.0.0.7"})
    assert decided["arguments"]["amount"] == "1.00"  # type: ignore[index]  # an object
    assert decided["arguments"]["invoice"].startswith("A-17\x1b")  # type: ignore[index]  # an object


async def test_a_decision_goes_to_the_process_that_owns_the_file(tmp_path: Path) -> None:
    agent, path = payer([]), tmp_path / "runs.db"
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        async with asking(runs_app(path, token=TOKEN)) as page:
            form = {**await page.form("/waiting", f"form-{approval.id}"), "decision": "approve", "by": "mia"}
            wrong = await page.post(f"/waiting/{approval.id}", {**form, "argument.amount": "a lot"})
            right = await page.post(f"/waiting/{approval.id}", form)

        assert await run.result(5)
    assert (wrong.status_code, "Invalid decimal string" in wrong.text) == (409, True)
    assert "decided, and taken up" in right.text


async def test_json_that_is_none_is_refused_before_anything_is_sent(waiting: Path) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        form = {**await page.form("/waiting", "form-cce71c0a"), "decision": "approve", "by": "mia"}
        answer = await page.post("/waiting/cce71c0a", {**form, "argument.invoice": "A-17"})

    assert (answer.status_code, "is no JSON: text wants quotes" in answer.text) == (422, True)


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "/run/..//evil", "/nowhere", ""])
async def test_the_way_back_is_a_page_of_ours(waiting: Path, back: str) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        page.client.follow_redirects = False
        form = {**await page.form("/waiting", "form-cce71c0a"), "decision": "deny", "by": "mia", "back": back}
        answer = await page.post("/waiting/cce71c0a", form)

    assert answer.headers["location"].startswith("/waiting?told=left&about=cce71c0a")


async def test_a_call_of_unknown_outcome_is_shown_and_settled(waiting: Path) -> None:
    lost = {"run": "e0f00c5f0276", "call": "2.1", "tool": "pay", "arguments": {"invoice": "A-17"}, "attempt": "x1"}
    lost |= {"idempotency_key": "e0f00c5f0276/2.1", "reason": "the process died", "check": "ask the bank", "found": ""}
    put(waiting, [Row(kind="attention", key="cce71c0a", sort=1.0, body=lost, scope="e0f00c5f0276")])
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        shown = await page.get("/run/e0f00c5f0276")
        form = {**forms(shown.text)["form-e0f00c5f0276-2.1"], "by": "mia"}
        answers = [
            await page.post("/unknown", {**form, **change})
            for change in (
                {},
                {"outcome": "perhaps"},
                {"outcome": "happened", "by": ""},
                {"outcome": "happened", "attempt": "x0"},
                {"outcome": "happened", "call": "9.9"},
                {"outcome": "happened", "result": "receipt 17"},
                {"outcome": "not"},
            )
        ]

    assert "pay: did it happen?" in text(shown.text)
    assert "how to check ask the bank" in text(shown.text)
    assert [one.status_code for one in answers] == [422, 422, 422, 409, 404, 200, 409]
    assert "recorded" in answers[5].text
    assert "settled by mia: that takes effect when the runtime takes it up" in text(answers[5].text)
    assert "is settled already" in answers[6].text
