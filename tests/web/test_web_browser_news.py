"""What news do to a page in a real browser: what is gone goes, and what was refused stays."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("uvicorn", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("playwright", reason="the extra is missing: pip install 'choragus[browser]'")

import anyio
from playwright.sync_api import Page, expect, sync_playwright

from choragus.agents.web import runs_app

from .filling import put, run_row, write
from .screenshots import chromium, served

pytestmark = pytest.mark.slow  # a browser's

TOKEN = "the token of the tests"
LONG = "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerk" * 4


def enter(path: Path, run: str) -> None:
    """One more entry of a run; in a thread, for the browser's driver has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(anyio.run, write, path, f"run/{run}", 1).result()


@pytest.fixture
def opened(waiting: Path) -> Iterator[tuple[Page, str]]:
    """A page of the file with a run that waits, and where it is served."""
    binary = chromium()
    if binary is None:
        pytest.skip("no Chromium is installed")
    with served(runs_app(waiting, token=TOKEN)) as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 800})
        page.goto(f"{place}/?token={TOKEN}")
        yield page, place
        browser.close()


def test_what_a_run_waited_for_goes_with_the_news(opened: tuple[Page, str], waiting: Path) -> None:
    page, place = opened
    put(waiting, [row := run_row(1, status="running", outcome="", waits=["pay: approval"], ended=0.0)])
    page.goto(f"{place}/run/{row.key}")
    page.wait_for_selector("#live.is-on")
    expect(page.locator("#outcome")).to_contain_text("waits for pay: approval")

    put(waiting, [run_row(1, status="running", outcome="", waits=[], ended=0.0)])
    enter(waiting, row.key)

    expect(page.locator("#outcome")).to_have_count(0)
    expect(page.locator("#figures")).to_have_count(1)


def test_words_that_were_refused_stay_when_there_are_news(opened: tuple[Page, str], waiting: Path) -> None:
    page, place = opened
    page.goto(f"{place}/waiting")
    page.fill("input.by", "mia")
    page.fill("input[name=reason]", "a long thought")
    page.evaluate("document.querySelector('input[name=decision], button.yes').value = 'neither'")
    page.click("button.yes")
    page.wait_for_selector(".card .fault")
    page.wait_for_selector("#live.is-on")

    put(waiting, [row := run_row(2)])
    with page.expect_response(lambda one: one.url.endswith("/waiting") and one.ok):
        enter(waiting, row.key)
    page.wait_for_timeout(200)

    assert page.input_value("input[name=reason]") == "a long thought"


def test_a_card_that_is_worked_on_is_sent_with_what_a_restarted_service_takes(
    opened: tuple[Page, str], waiting: Path
) -> None:
    page, place = opened
    page.goto(f"{place}/waiting")
    page.wait_for_selector("#live.is-on")
    taken = page.input_value("article input[name=csrf]")
    page.fill("input[name=reason]", "a long thought")
    page.evaluate("document.querySelector('article input[name=csrf]').value = 'of the service before'")

    put(waiting, [row := run_row(2)])
    enter(waiting, row.key)

    expect(page.locator("article input[name=csrf]")).to_have_value(taken)
    assert page.input_value("input[name=reason]") == "a long thought"


def test_long_words_do_not_widen_a_narrow_page(opened: tuple[Page, str], waiting: Path) -> None:
    page, place = opened
    put(waiting, [row := run_row(3, goal=LONG, tenant=LONG, key=LONG, correction=LONG, corrected_by=LONG)])

    for path in ("/", f"/run/{row.key}"):
        page.goto(place + path)

        assert page.evaluate("document.documentElement.scrollWidth") == 360
