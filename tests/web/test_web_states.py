"""States that are easily forgotten: refused runs, corrected ones, evaluations that became worse, words sent in vain."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from tests.agents.cli_clerk import RUN

import evaluated_agent

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("httpx2", reason="the client of these tests")

from choragus.agents.evaluation import evaluate, read_cases
from choragus.agents.inspection import Unknown
from choragus.agents.web import runs_app
from choragus.agents.web.cards import Cards, Typed
from choragus.agents.web.visitor import Visitor

from .asking import TOKEN, asking, text
from .filling import Row, put, run_row


async def test_a_run_that_is_refused_says_so_where_it_is_decided_on(waiting: Path) -> None:
    why = "agent 'clerk' has changed since it began"
    put(waiting, [Row(kind="refused", key=RUN, sort=1.0, body={"run": RUN, "agent": "clerk", "why": why})])

    async with asking(runs_app(waiting, token=TOKEN)) as page:
        card, whole = [text((await page.get(each)).text) for each in ("/waiting", f"/run/{RUN}")]

    assert f"The run is refused: {why}" in card
    assert f"Outcome refused {why}" in whole


async def test_a_corrected_run_has_the_correction_beside_its_outcome(done: Path, tmp_path: Path) -> None:
    path = shutil.copy(done, tmp_path / "runs.db")
    put(path, [row := run_row(1, correction="It is <b>not</b> paid.", corrected_by="mia")])

    async with asking(runs_app(path, token=TOKEN)) as page:
        told = text((await page.get(f"/run/{row.key}")).text)

    assert "Outcome done corrected by mia to It is <b>not</b> paid." in told


async def test_an_evaluation_s_page_says_which_case_did_not_pass_and_why(tmp_path: Path) -> None:
    cases = read_cases(evaluated_agent.CASES)
    report = await evaluate(evaluated_agent.hasty, cases, scorers=evaluated_agent.scorers, file=tmp_path / "eval.db")
    failed = next(one for one in report.results if one.passed < one.judged)

    async with asking(runs_app(tmp_path / "eval.db", token=TOKEN)) as page:
        listed = text((await page.get("/evaluations")).text)
        told = text((await page.get(f"/evaluation/{report.id}")).text)

    assert "4 x 3 75 % (47 % to 91 %) 100 % (76 % to 100 %)" in listed
    assert f"{failed.name} 0 of 3 exact: '1000' is not '999'" in told
    assert "evaluation.result large · exact fail" in told


@pytest.mark.parametrize("outcome", ["happened", "not"])
def test_a_word_that_was_refused_stands_in_its_form_again(outcome: str) -> None:
    one = Unknown(run="r", call="1.1", tool="pay", arguments={}, idempotency_key="k", reason="lost", attempt="a")
    form = {"outcome": outcome, "result": "<paid>", "by": "mia"}

    shown = Cards(
        root="", visitor=Visitor(csrf="x"), back="/waiting", typed=Typed(subject="r-1.1", fault="no", form=form)
    ).unknown(one, "")

    assert re.findall(r'value="(\w+)" required checked', shown) == [outcome]
    assert "&lt;paid&gt;</textarea>" in shown
    assert "data-typed" in shown
