"""What stands on the pages, how they are found, and that nobody's text becomes more than text."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from urllib.parse import quote

import anyio
import attrs
import pytest

import planned_run

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("httpx2", reason="the client of these tests")

from starlette.applications import Starlette
from starlette.routing import Mount
from tests.agents.play import call, calls, until
from tests.agents.test_cli import Broken

from choragus.agents.agent import Agent
from choragus.agents.model import ModelReply
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.tool import tool
from choragus.agents.web import runs_app
from choragus.agents.web.search import Search, found, statement_of
from choragus.mailbox.reader import Reader
from choragus.supervision.state import ChildState
from choragus.supervision.tree import TreeNode

from .asking import TOKEN, asking, by_header, forms, text
from .filling import Row, evaluation_row, put, run_row, write

RUN = "/run/e0f00c5f0276"
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e'\"&amp;"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with 10,000 runs, of which only the rows are there."""
    path = tmp_path_factory.mktemp("many") / "many.db"
    anyio.run(_empty, path)
    put(path, (run_row(number) for number in range(10_000)))
    return path


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 300."""
    path = tmp_path_factory.mktemp("some") / "some.db"
    anyio.run(_empty, path)
    put(path, (run_row(number) for number in range(300)))
    return path


async def _empty(path: Path) -> None:
    async with Runtime(path, agents=[]):
        pass


@pytest.fixture
async def hostile(tmp_path: Path) -> Path:
    """A file in which goal, name of a tool's argument, argument, error, key and answer are hostile."""

    @tool(risk="read")
    def look(at: str) -> str:
        """Look."""
        raise ValueError(NASTY)

    replies = [calls(call("look", at=NASTY)), calls(call(NASTY, at="x")), ModelReply(text=NASTY)]
    agent = Agent("clerk", model=ScriptedModel(replies), tools=[look])
    path = tmp_path / "hostile.db"
    async with Runtime(path, agents=[agent]) as runtime:
        await (await runtime.start(agent, NASTY, key=NASTY)).result()
    row = evaluation_row(1, 1_795_000_000.0, 9, 10, agent=NASTY, dataset=NASTY)
    put(path, [row, run_row(1, agent=NASTY, tenant=NASTY, status=NASTY, waits=[NASTY], goal=None, steps="x")])
    return path


async def test_s36_hostile_text_is_text_on_every_page(hostile: Path) -> None:
    with Reader(hostile) as reader:
        (run,) = [one.key for one in reader.views("run") if one.data["key"] == NASTY]
    places = ["/", f"/run/{run}?all=1", f"/run/{run}/entry/1", f"/?q={quote(NASTY)}", "/waiting", "/supervision"]
    places += ["/figures?by=agent&since=2020-01-01", "/evaluations", "/evaluation/e001", f"/run/{1:012x}"]

    async with asking(runs_app(hostile, token=TOKEN)) as page:
        answers = [await page.get(place) for place in places]

    assert [one.status_code for one in answers] == [200] * len(places)
    for one in answers:
        assert "<script>" not in one.text
        assert "<img" not in one.text
        assert "\u202e" not in one.text
    assert "</script><script>alert(1)</script>" in text(answers[0].text)


async def test_the_runs_are_listed_the_newest_first_with_what_they_used(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        told = text((await page.get("/")).text)

    assert "✓ completed Pay what is due, and do not forget the rent. clerk 3 734 $0.0010" in told
    assert "1 to 1 of 1" in told


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", "300"),
        ("q=number+7", "11"),
        ("q=NUMBER+77.", "1"),
        ("q=00000000012b", "1"),
        ("q=%25", None),
        ("status=failed", "100"),
        ("agent=agent-3", "43"),
        ("tenant=tenant-1&agent=agent-3&status=failed", "14"),
        ("q=%27%3B+DROP+TABLE+view", None),
        ("since=2030-01-01", None),
        ("since=yesterday", "300"),
        ("page=0", "300"),
        ("page=x", "300"),
    ],
)
async def test_runs_are_found(some: Path, query: str, total: str | None) -> None:
    async with asking(runs_app(some, token=TOKEN)) as page:
        answer = await page.get(f"/?{query}")

    assert answer.status_code == 200
    assert (f"of {total}" in answer.text) if total else ("No run is like that." in answer.text)


async def test_ten_thousand_runs_come_in_pages(many: Path) -> None:
    async with asking(runs_app(many, token=TOKEN)) as page:
        first, last = await page.get("/"), await page.get("/?page=200")
        beyond = await page.get("/?page=999999")

    assert "Pay invoice number 9999." in first.text
    assert "1 to 50 of 10,000" in first.text
    assert 'href="/?page=2" rel="next"' in first.text
    assert "Pay invoice number 0." in last.text
    assert "There is no such page." in beyond.text
    assert len(first.content) < 60_000


def test_a_page_of_runs_is_read_by_an_index_and_no_row_is_decoded_for_it(many: Path) -> None:
    statement, values = statement_of(Search(page=100))
    with Reader(many) as reader:
        plan = [str(row[-1]) for row in reader.rows(f"EXPLAIN QUERY PLAN {statement}", *values)]

    assert plan == ["SEARCH view USING COVERING INDEX view_scope (kind=?)", "USE TEMP B-TREE FOR ORDER BY"]


def test_a_damaged_row_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    path = tmp_path / "bad.db"
    anyio.run(_empty, path)
    put(path, (run_row(number) for number in range(3)))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE view SET body = CAST('{' AS BLOB) WHERE key = ?", (f"{1:012x}",))
    connection.close()

    with Reader(path) as reader:
        page, some = found(reader, Search()), found(reader, Search(status="completed"))

    assert ([one.key for one in page.rows], page.damaged) == ([f"{2:012x}", f"{0:012x}"], [f"{1:012x}"])
    assert [one.key for one in some.rows] == [f"{0:012x}"]


async def test_a_run_has_its_story_its_words_and_its_logbook(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        whole = (await page.get(RUN)).text
        told = text(whole)

    assert "Outcome All is paid. Nothing is left." in told
    assert "Cost $0.0010 Tokens 656 in, 78 out Steps 3" in told
    assert "pay: approved by mia" in told
    assert "assistant Let me look." in told
    assert "approval.decided pay · approved · mia · as agreed" in told
    assert "phase" not in told
    assert '<svg viewBox="0 0 960' in whole


async def test_every_entry_is_there_and_opens(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        every = (await page.get(f"{RUN}?all=1")).text
        one = await page.get(f"{RUN}/entry/7")
        none = await page.get(f"{RUN}/entry/700")

    assert every.count('<details id="e') == 52
    assert '"kind"' not in one.text
    assert "Entry 7: model.replied" in one.text
    assert (none.status_code, "has no entry 700" in none.text) == (404, True)


async def test_a_run_of_ten_thousand_entries_comes_in_pages(tmp_path: Path) -> None:
    path = tmp_path / "long.db"
    await write(path, "run/long", 10_000)
    put(path, [Row(kind="run", key="long", sort=1.0, body=run_row(1).body)])

    async with asking(runs_app(path, token=TOKEN)) as page:
        last, first = await page.get("/run/long"), await page.get("/run/long?after=0")
        middle = await page.get("/run/long?after=5000")

    assert ('id="e10000"' in last.text, 'id="e9801"' in last.text, 'id="e9800"' in last.text) == (True, True, False)
    assert ('id="e1"' in first.text, 'id="e201"' in first.text) == (True, False)
    assert "after=4800" in middle.text
    assert "after=5200" in middle.text
    assert len(last.content) < 200_000


async def test_sub_runs_stand_below_their_run_with_what_they_cost(tmp_path: Path) -> None:
    path = tmp_path / "tree.db"
    await _empty(path)
    top, middle, low = (f"{number:012x}" for number in (1, 2, 3))
    rows = [run_row(1), run_row(2, parent=top, goal="The middle."), run_row(3, parent=middle, goal="The lowest.")]
    put(path, rows)

    async with asking(runs_app(path, token=TOKEN)) as page:
        told = (await page.get(f"/run/{middle}")).text

    tree = told[told.index('<table class="tree">') :]
    assert (
        tree.index(f'href="/run/{top}"') < tree.index("<strong>agent-2: The middle.") < tree.index(f'href="/run/{low}"')
    )
    assert 'class="deep-2"' in tree


async def test_a_fork_names_what_it_was_forked_from_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "fork.db"
    agent = Agent("clerk", model=FunctionModel(lambda request: "done"))
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        await run.result()
        fork = await runtime.fork(run.id, by="mia")
        await fork.result()

        async with asking(runs_app(path, token=TOKEN)) as page:
            old, new = await page.get(f"/run/{run.id}"), await page.get(f"/run/{fork.id}")

    assert f'into <a href="/run/{fork.id}">' in old.text
    assert f'forked from <a href="/run/{run.id}">' in new.text
    assert ", by mia" in new.text


async def test_the_plan_of_a_run_with_its_steps(tmp_path: Path) -> None:
    path = tmp_path / "plan.db"
    archivist = Agent("archivist", model=FunctionModel(lambda request: "11.6, as of yesterday"))
    writer = Agent(
        "writer",
        model=FunctionModel(planned_run.writer),
        tools=[planned_run.sales, planned_run.rate],
        planning=planned_run.PLANNING,
    )
    async with Runtime(path, agents=[writer, archivist]) as runtime:
        run = await runtime.start(writer, "Report.")
        await run.result()

        async with asking(runs_app(path, token=TOKEN)) as page:
            told = text((await page.get(f"/run/{run.id}")).text)

    assert "Plan 4 of 4 steps are over" in told
    assert "✓ succeeded rate: Find the rate of the euro. 3 attempts · by run" in told
    assert "cover: Draw a cover." in told
    assert "Tree" in told


async def test_the_live_tree_is_shown_where_the_runtime_is_mounted(tmp_path: Path) -> None:
    agent = Agent("clerk", model=FunctionModel(lambda request: "done"))
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        app = Starlette(routes=[Mount("/inner/runs", runs_app(runtime, identify=by_header))])
        async with asking(app, token="") as page:
            page.client.headers["x-user"] = "mia"
            answer = await page.get("/inner/runs/supervision")

    assert "choragus.orchestrator" in answer.text
    assert 's-running">running</span>' in answer.text
    assert "choragus.orchestrator region Orchestrator 5 attempts for each message" in text(answer.text)


@attrs.frozen
class _Owner:
    """A runtime that shows this tree."""

    place: str
    top: TreeNode

    def tree(self) -> TreeNode:
        """It."""
        return self.top


async def test_of_many_actors_those_in_trouble_are_shown(done: Path) -> None:
    """And each that is a part of a run leads to it."""
    running = [_actor(f"run-{number}", "running") for number in range(80)]
    children = (*running, _actor("broken", "restarting", restarts=3))
    top = TreeNode(name="root", path="", kind="supervisor", state=ChildState("running"), children=children)
    async with asking(runs_app(_Owner(str(done), top), token=TOKEN)) as page:  # type: ignore[arg-type]  # it decides nothing
        answer = await page.get("/supervision")

    assert "restarting broken actor Orchestrator 3 restarts" in text(answer.text)
    assert "and 31 more" in answer.text
    assert '<a href="/run/run-7">run-7</a>' in answer.text


def _actor(name: str, state: str, restarts: int = 0) -> TreeNode:
    place = f"choragus.orchestrator/{name}"
    told = ChildState(state)
    return TreeNode(name=name, path=place, kind="actor", state=told, actor="Orchestrator", restarts=restarts)


async def test_every_link_of_a_mounted_page_stays_below_where_it_is_mounted(tmp_path: Path) -> None:
    agent = Agent("clerk", model=FunctionModel(lambda request: "done"))
    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.")
        await run.result()
        app = Starlette(routes=[Mount("/inner/runs", runs_app(runtime, token=TOKEN))])
        async with asking(app, token="") as page:
            opened = await page.get(f"/inner/runs/?token={TOKEN}")
            pages = [
                opened,
                *[await page.get(f"/inner/runs{one}") for one in (f"/run/{run.id}", "/waiting", "/evaluations")],
            ]
            style = await page.get("/inner/runs/static/page.css")

    assert "Path=/inner/runs;" in opened.history[0].headers["set-cookie"]
    assert style.status_code == 200
    for one in pages:
        assert one.status_code == 200
        places = [
            part.partition('"')[0] for name in ("href", "src", "action") for part in one.text.split(f' {name}="')[1:]
        ]
        assert [place for place in places if not place.startswith(("/inner/runs/", "#"))] == []
        assert 'data-events="/inner/runs/events?after=' in one.text


async def test_restarts_are_read_from_the_logbook_where_there_is_no_runtime(tmp_path: Path) -> None:
    path = tmp_path / "broken.db"
    agent = Agent("clerk", model=Broken(["never said"]))
    async with Runtime(path, agents=[agent], attempts=2) as runtime:
        run = await runtime.start(agent, "Try.")
        await until(run, "actor.failed")

    async with asking(runs_app(path, token=TOKEN)) as page:
        told = text((await page.get("/supervision")).text)

    assert "mount this page in the service" in told
    assert "restarted orchestrator" in told


async def test_evaluations_are_drawn_with_their_intervals_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "evaluated.db"
    await _empty(path)
    put(path, [evaluation_row(n, 1_795_000_000.0 + n * 86_400, 12 + n, 20) for n in range(5)])
    put(path, [evaluation_row(9, 1_796_000_000.0, 1, 2, figures={}, passed=None)])

    async with asking(runs_app(path, token=TOKEN)) as page:
        every, one = (await page.get("/evaluations")).text, (await page.get("/evaluation/e004")).text
        bare, none = await page.get("/evaluation/e009"), await page.get("/evaluation/nothing")

    assert "clerk on invoices.jsonl" in every
    assert every.count('class="whisker') == 5 * 5
    assert "Completion rate 80 %" in text(one)
    assert (bare.status_code, none.status_code) == (200, 404)


async def test_figures_have_a_page_where_the_host_gives_them(done: Path) -> None:
    def figures(reader: Reader) -> dict[str, object]:
        return {"runs": reader.count("run"), "completion": {"value": 0.5, "low": 0.1, "high": 0.9}}

    async with asking(runs_app(done, token=TOKEN, figures=figures)) as page:
        told = text((await page.get("/figures")).text)

    assert "Completion rate 50 % (10 % to 90 %)" in told


async def test_production_figures_of_a_period_are_drawn_and_grouped(some: Path) -> None:
    async with asking(runs_app(some, token=TOKEN)) as page:
        day = await page.get("/figures?since=2020-01-01")
        agent = text((await page.get("/figures?since=2020-01-01&by=agent")).text)
        odd = await page.get("/figures?since=%3Cb%3E&by=nothing")

    assert "200 runs have ended in it, 100 go on" in text(day.text)
    assert "Completion rate 50 %" in text(day.text)
    assert day.text.count('<figure class="plot">') == 4
    assert "data-live" not in day.text
    assert "agent-3 28" in agent or "agent-3 29" in agent
    assert (odd.status_code, 'role="alert" class="fault"' in odd.text, "<b>" in odd.text) == (200, True, False)


async def test_a_file_that_is_not_there_or_none_of_ours_is_told_and_not_an_error(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"not a database at all, but long enough to be looked at")

    async with asking(runs_app(tmp_path / "gone.db", token=TOKEN)) as page:
        gone = await page.get("/")
    async with asking(runs_app(other, token=TOKEN)) as page:
        foreign = await page.get("/")

    assert (gone.status_code, foreign.status_code) == (503, 503)
    assert "does not exist" in gone.text


async def test_the_files_of_the_page_are_kept_by_a_browser_and_asked_about(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN), token="") as page:
        style = await page.get("/static/page.css")
        again = await page.get("/static/page.css", **{"if-none-match": style.headers["etag"]})
        none = await page.get("/static/..%2fhtml.py")

    assert (style.status_code, again.status_code, none.status_code) == (200, 304, 404)
    assert "url(" not in style.text


def test_a_runtime_in_memory_has_no_page() -> None:
    with pytest.raises(ValueError, match=r"^this runtime keeps everything in memory, .*: give Runtime a path$"):
        runs_app(Runtime(agents=[]), read_only=True)


async def test_a_form_has_a_field_for_each_argument_and_json_where_a_text_hides_something(waiting: Path) -> None:
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        fields = forms((await page.get(RUN)).text)["form-cce71c0a"]

    assert fields["argument.amount"] == "120.00"
    assert json.loads(fields["argument.invoice"]) == "A-17\x1b[2J\u202egnp\napproved by mia"
    assert fields["argument.invoice"].isascii()


async def test_what_is_of_another_form_than_is_known_is_named_and_keeps_no_page_from_coming(waiting: Path) -> None:
    put(waiting, [Row(kind="approval", key="feedbeef", sort=1.0, body={"id": 7}, scope="e0f00c5f0276")])
    async with asking(runs_app(waiting, token=TOKEN)) as page:
        told = text((await page.get("/waiting")).text)

    assert "feedbeef cannot be read here: look with `choragus approvals`" in told
    assert "pay: May it run?" in told
