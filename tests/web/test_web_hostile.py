"""Requests that no browser of good faith sends, and rows that no clock and no till has written."""

from __future__ import annotations

import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

import anyio
import httpx2
import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")

from choragus.agents.web import runs_app
from choragus.agents.web.family import family
from choragus.agents.web.fields import number, whole
from choragus.agents.web.live import Bell
from choragus.agents.web.wording import when
from choragus.mailbox.reader import Reader

from .asking import TOKEN, asking, text
from .filling import put, run_row

RUN = "/run/e0f00c5f0276"
DIGITS = "0" * 17 + "9" * 5_000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/?page=000000001{DIGITS}", 200),
        ("/?page=000000001999999999999999999999", 200),
        (f"{RUN}?after=05000000000000000000000&said={DIGITS}", 200),
        (f"{RUN}/entry/{DIGITS}", 404),
        ("/nothing", 404),
        ("/static/..%2fgate.py", 404),
    ],
    ids=["page", "page beyond SQLite", "positions", "entry", "no page", "no file"],
)
async def test_no_number_and_no_address_is_a_fault_of_the_page(done: Path, path: str, status: int) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        answer = await page.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://127.0.0.1:8765@elsewhere.example"])
async def test_an_origin_that_is_none_is_refused(done: Path, origin: str) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        answer = await page.client.post("/waiting/x", data={"csrf": "x"}, headers={"origin": origin})

    assert answer.status_code == 403


@pytest.mark.parametrize("other", ['state={"a":1}', 'x="open', "a,b=1", "=x", ";", "\xe9=1"])
async def test_cookies_of_other_ports_do_not_end_the_session(done: Path, other: str) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        ((name, value),) = page.client.cookies.items()
        page.client.cookies.clear()

        answer = await page.client.get("/", headers=[(b"cookie", f"{other}; {name}={value}".encode("latin-1"))])

    assert answer.status_code == 200


async def test_names_of_the_host_are_a_list_with_or_without_ports(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN, hosts=["Runs.Example:8443"]), base="http://runs.example") as page:
        answer = await page.get("/")

    assert answer.status_code == 200
    with pytest.raises(TypeError, match=r"^hosts='runs.example' is one text: give a list of names"):
        runs_app(done, token=TOKEN, hosts="runs.example")


async def test_a_fault_of_ours_shows_nothing_of_itself(done: Path) -> None:
    def figures(reader: Reader) -> dict[str, object]:
        raise RuntimeError("the secret of the host")

    app = runs_app(done, token=TOKEN, figures=figures)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
        answer = await client.get("/figures", headers={"authorization": f"Bearer {TOKEN}"})

    assert (answer.status_code, answer.headers["x-frame-options"]) == (500, "DENY")
    assert "the log of the server has it" in answer.text
    assert "secret" not in answer.text


async def test_a_form_s_address_leads_to_what_waits_when_it_is_loaded_again(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        answers = [await page.get(path) for path in ("/waiting/cce71c0a", "/unknown")]

    assert [(one.status_code, one.url.path) for one in answers] == [(200, "/waiting")] * 2


async def test_asking_for_the_head_of_the_news_keeps_nobody_listening(done: Path) -> None:
    async with asking(runs_app(done, token=TOKEN)) as page:
        answer = await page.client.head("/events")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


async def test_those_who_found_room_at_the_same_time_do_not_all_get_it(done: Path) -> None:
    bell = Bell(str(done), most=1)
    bell.check_room()
    bell.check_room()

    async with aclosing(bell.stream(0, None)) as first, aclosing(bell.stream(0, None)) as second:
        await anext(first)
        with anyio.fail_after(5):
            told = [one async for one in second]

        assert bell.listeners == 1
    assert told == ["retry: 10000\n: full\n\n"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, True, "7", None, 10**400])
def test_what_is_no_figure_counts_as_nothing(value: object) -> None:
    assert (number({"x": value}, "x"), whole({"x": value}, "x")) == (0.0, 0)


@pytest.mark.parametrize("at", [float("nan"), float("inf"), 1e18, -1e18])
def test_what_no_clock_has_shown_is_told_as_it_is(at: float) -> None:
    assert repr(at) in when(at)


async def test_the_tree_of_a_run_is_read_once_however_many_runs_it_has(done: Path, tmp_path: Path) -> None:
    path = tmp_path / "tree.db"
    with closing(sqlite3.connect(done)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    top = run_row(1)
    put(path, [top, *(run_row(n, parent=top.key) for n in range(2, 300))])
    read: list[str] = []

    class Counting(Reader):
        def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
            read.append(statement)
            return super().rows(statement, *values)

    with Counting(path) as reader:
        row = reader.view("run", top.key)
        assert row is not None
        shown = family(reader, "", row)

    assert sum("$.parent" in one for one in read) == 1
    assert text(str(shown)).count("agent-") == 201
