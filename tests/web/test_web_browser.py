"""The page in a real browser: by keyboard, with news, without scripts, on a narrow screen, and all by itself."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import attrs
import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("uvicorn", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("playwright", reason="the extra is missing: pip install 'choragus[browser]'")

import anyio
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from tests.agents.people_play import question
from tests.agents.play import call, calls, data

from choragus.agents.agent import Agent
from choragus.agents.model import ModelReply
from choragus.agents.question import ask_person
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool
from choragus.agents.web import runs_app

from .screenshots import chromium

pytestmark = pytest.mark.slow  # some 25 s on a busy machine, most of it the browser's

TOKEN = "the token of the tests"
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"

UNLABELLED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
    .filter((one) => !one.labels.length).map((one) => one.outerHTML)"""

NAMELESS = """() => [...document.querySelectorAll("a[href], button:not([hidden]), summary, [role=img]")]
    .filter((one) => !(one.textContent.trim() || one.getAttribute("aria-label"))).map((one) => one.outerHTML)"""

TWICE = """() => { const all = [...document.querySelectorAll("[id]")].map((one) => one.id);
    return all.filter((one, place) => all.indexOf(one) !== place); }"""

# The contrast of each text that is seen against what is behind it, after WCAG 2.
PALE = """() => {
  const parts = (told) => (told.match(/[\\d.]+/g) || []).map(Number);
  const light = (told) => parts(told).slice(0, 3).map((one) => one / 255)
    .map((one) => one <= .04045 ? one / 12.92 : ((one + .055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [.2126, .7152, .0722][place], 0);
  const behind = (one) => { for (; one; one = one.parentElement) {
    const told = getComputedStyle(one).backgroundColor;
    if (parts(told)[3] !== 0) return told;
  } return "rgb(255, 255, 255)"; };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.offsetParent && !one.closest("svg, .off, [aria-hidden]"))
    .filter((one) => [...one.childNodes].some((each) => each.nodeType === 3 && each.data.trim()))
    .map((one) => [light(getComputedStyle(one).color), light(behind(one)), one.outerHTML.slice(0, 120)])
    .filter(([one, other]) => (Math.max(one, other) + .05) / (Math.min(one, other) + .05) < 4.5);
}"""


@attrs.frozen
class Service:
    """A service that owns a file and has the page mounted, in a thread; `paid` is what its tool did."""

    portal: BlockingPortal
    runtime: Runtime
    agents: dict[str, Agent]
    paid: list[tuple[str, Decimal]]
    place: str

    def start(self, agent: str, goal: str, *, waits: bool = True) -> Run:
        """A run, once it waits for a person or has ended."""
        return self.portal.call(self._start, agent, goal, waits)

    async def _start(self, agent: str, goal: str, waits: bool) -> Run:
        run = await self.runtime.start(self.agents[agent], goal)
        if waits:
            await question(run)
        else:
            await run.result()
        return run

    def decided(self, run: Run) -> dict[str, object]:
        """The decision about a run's call, once the run has ended."""
        self.portal.call(run.result)
        (found,) = self.portal.call(data, run, "approval.decided")
        return found


@asynccontextmanager
async def serving(path: Path, portal: BlockingPortal) -> AsyncIterator[Service]:
    """The service, in the loop of the portal."""
    paid: list[tuple[str, Decimal]] = []

    @tool(risk="irreversible")
    async def pay(invoice: str, amount: Decimal) -> str:
        """Pay one invoice."""
        paid.append((invoice, amount))
        return f"paid {amount}"

    def pays(request: object) -> ModelReply | str:
        messages = request.messages  # type: ignore[attr-defined]  # a ModelRequest
        asked = calls(call("pay", invoice="A-17", amount="150.00"))
        return asked if len(messages) == 1 else str(messages[-1].text)

    clerk = Agent("clerk", model=FunctionModel(pays), tools=[pay, ask_person])
    echo = Agent("echo", model=FunctionModel(lambda request: request.messages[0].text))
    async with Runtime(path, agents=[clerk, echo]) as runtime:
        config = uvicorn.Config(
            runs_app(runtime, token=TOKEN),
            log_level="error",
            timeout_graceful_shutdown=1,
            ws="none",
            lifespan="off",
        )
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: server.serve(sockets=[listening]))
                place = f"http://127.0.0.1:{listening.getsockname()[1]}"
                yield Service(portal, runtime, {"clerk": clerk, "echo": echo}, paid, place)
                server.should_exit = True


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tests of this module."""
    path = tmp_path_factory.mktemp("browser") / "runs.db"
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(serving(path, portal)) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this module."""
    binary = chromium()
    if binary is None:
        pytest.skip("no Chromium is installed: apt install chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(service: Service, browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page with its token; at the end nothing may have complained, or have been asked of elsewhere."""
    faults: list[str] = []
    contexts: list[BrowserContext] = []

    def open(path: str = "/", **options: object) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda one: faults.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda one: faults.append(str(one)))
        page.on("dialog", lambda one: faults.append(f"dialog {one.message}"))
        page.on("request", lambda one: None if one.url.startswith(service.place) else faults.append(one.url))
        page.goto(f"{service.place}{path}{'&' if '?' in path else '?'}token={TOKEN}")
        if options.get("java_script_enabled", True):
            page.wait_for_selector("#live.is-on")
        return page

    yield open
    for one in contexts:
        one.close()
    assert faults == []


def at(page: Page) -> str:
    """The path of the page."""
    return str(urlsplit(page.url).path)


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until that is in focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"nothing like {wanted} comes into focus")


def test_runs_are_searched_and_opened_by_keyboard(service: Service, opened: Callable[..., Page]) -> None:
    run = service.start("echo", "Find the blue folder.", waits=False)
    service.start("echo", "Find the red folder.", waits=False)
    page = opened()
    assert page.locator("a.row").count() >= 2

    page.keyboard.press("/")
    page.keyboard.type("blue folder")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=blue+folder*")
    page.wait_for_selector("#live.is-on")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/run/{run.id}")

    assert page.locator("h1").inner_text() == "Find the blue folder."
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    assert page.locator(".entries details[open] pre").first.is_visible()


def test_news_arrives_without_a_reload(service: Service, opened: Callable[..., Page]) -> None:
    page = opened()
    page.evaluate("() => { window.same = true; }")

    run = service.start("clerk", "Pay what is new.")
    page.wait_for_selector(f"#row-{run.id}")
    assert page.locator("#nav-waiting .count").inner_text()
    page.wait_for_function("() => document.querySelector('#news').textContent.includes('waiting for a person')")
    other = opened(f"/run/{run.id}")
    other.evaluate("() => { window.same = true; }")
    (approval,) = service.portal.call(run.pending)
    service.portal.call(lambda: approval.deny(by="mia"))
    other.wait_for_selector("#run .is-completed")

    assert (page.evaluate("window.same"), other.evaluate("window.same")) == (True, True)
    assert other.locator("#outcome").inner_text().startswith("Outcome")
    assert other.locator(".card").count() == 0


def test_a_call_is_approved_with_another_argument_by_keyboard_alone(
    service: Service, opened: Callable[..., Page]
) -> None:
    run = service.start("clerk", "Pay by keyboard.")
    page = opened(f"/run/{run.id}")

    tab_to(page, "[name='argument.amount']")
    page.keyboard.press("Control+A")
    page.keyboard.type("120.00")
    tab_to(page, "[name=by]")
    page.keyboard.type("mia")
    tab_to(page, "[name=reason]")
    page.keyboard.type("as agreed")
    page.keyboard.press("Enter")
    assert len(service.portal.call(run.pending)) == 1, "Enter in a field has decided"
    tab_to(page, "[value=approve]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".told")
    decided = service.decided(run)

    assert ("A-17", Decimal("120.00")) in service.paid
    assert (decided["by"], decided["reason"], decided["seen"]) == ("mia", "as agreed", "page-1")
    assert decided["arguments"] == {"invoice": "A-17", "amount": "120.00"}
    assert at(page) == f"/run/{run.id}"


def test_what_somebody_types_is_left_alone_by_news(service: Service, opened: Callable[..., Page]) -> None:
    run = service.start("clerk", "Pay slowly.")
    (approval,) = service.portal.call(run.pending)
    page = opened("/waiting")
    page.fill(f"#card-{approval.id} [name='argument.amount']", "99.00")

    other = service.start("clerk", "Pay something else.")
    (second,) = service.portal.call(other.pending)
    page.wait_for_selector(f"#card-{second.id}")
    service.portal.call(lambda: second.deny(by="bo"))
    page.wait_for_selector(f"#card-{second.id}", state="detached")

    assert page.input_value(f"#card-{approval.id} [name='argument.amount']") == "99.00"
    service.portal.call(lambda: approval.deny(by="bo"))
    page.wait_for_selector(f"#card-{approval.id}.is-over")


def test_it_works_without_scripts(service: Service, opened: Callable[..., Page]) -> None:
    run = service.start("clerk", "Pay without scripts.")
    page = opened(f"/run/{run.id}", java_script_enabled=False)

    page.click(".entries summary >> nth=0")
    assert page.locator(".entries details[open] pre").first.is_visible()
    page.fill("[name=by]", "mia")
    page.fill("[name=reason]", "not now")
    page.click("button[value=deny]")

    assert "decided, and taken up" in page.locator(".told").inner_text()
    assert service.decided(run)["reason"] == "not now"


def test_s36_hostile_text_runs_nothing_in_a_browser(service: Service, opened: Callable[..., Page]) -> None:
    run = service.start("echo", NASTY, waits=False)
    page = opened(f"/run/{run.id}")

    assert NASTY in page.locator("h1").inner_text()
    for one in page.locator(".entries summary").all():
        one.click()
    assert page.locator("img").count() == 0
    page.goto(f"{service.place}/?q=%3C%2Fscript")
    page.wait_for_selector("#live.is-on")
    assert page.locator("a.row").count() >= 1


def test_keys_are_explained_and_focus_is_seen(opened: Callable[..., Page]) -> None:
    page = opened()

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("2")
    page.wait_for_url("**/waiting")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_by_everybody(service: Service, opened: Callable[..., Page], scheme: str) -> None:
    run = service.start("clerk", f"Pay in {scheme}.")
    page = opened("/", color_scheme=scheme, viewport={"width": 360, "height": 740})

    for path in (
        "/",
        f"/run/{run.id}?all=1",
        "/waiting",
        "/supervision",
        "/evaluations",
        "/figures",
        "/?q=nothing+like+it",
    ):
        page.goto(f"{service.place}{path}")
        page.wait_for_selector("#live.is-on")
        assert page.evaluate(UNLABELLED) == []
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate(TWICE) == []
        assert page.evaluate(PALE) == []
        assert page.locator("h1").count() == 1
        assert page.locator("html[lang=en] main, html[lang=en] header nav[aria-label]").count() >= 2
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
