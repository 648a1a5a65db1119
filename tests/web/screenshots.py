"""The pictures of docs/page.md: `python -m tests.web.screenshots docs/pictures`."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from choragus.agents.web import runs_app

from .filling import fill

TOKEN = "a token for the pictures"
SIZE = {"width": 1200, "height": 800}


def chromium() -> str | None:
    """The system's browser."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@contextmanager
def served(app: object) -> Iterator[str]:
    """An application on a free port of loopback, in a thread."""
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1, ws="none", lifespan="off")  # type: ignore[arg-type]  # an ASGI application
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def take(browser: Browser, place: str, named: dict[str, str], folder: Path) -> None:
    """All pictures."""
    paths = {
        "runs": "/",
        "run": f"/run/{named['paid']}",
        "waiting": "/waiting",
        "evaluations": "/evaluations",
    }
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=SIZE, color_scheme=scheme)
        page.goto(f"{place}/?token={TOKEN}")
        for name, path in paths.items():
            if scheme == "dark" and name != "run":
                continue
            page.goto(f"{place}{path}")
            page.wait_for_selector("#live.is-on")
            if name == "waiting":
                page.fill("input.by >> nth=0", "mia")
            page.screenshot(path=folder / f"{name if scheme == 'light' else f'{name}-dark'}.png")
        page.close()


def main(folder: Path) -> None:
    """Fill a file, serve it, and take the pictures."""
    binary = chromium()
    if binary is None:
        sys.exit("no Chromium is installed: apt install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "office.db"
        named = anyio.run(fill, path)
        with served(runs_app(path, token=TOKEN)) as place, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
            take(browser, place, named, folder)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
