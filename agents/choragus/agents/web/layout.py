"""What all pages have in common: head, navigation, the place for news, and the help on keys."""

from __future__ import annotations

import attrs

from .html import Child, Html, h, joined
from .visitor import Visitor

KEYS = (
    ("/", "search"),
    ("j", "next row"),
    ("k", "row before"),
    ("Enter", "open the row"),
    ("e", "open or close all entries"),
    ("1 to 5", "runs, waiting, supervision, evaluations, figures"),
    ("?", "this help"),
    ("Esc", "close it"),
)

PLACES = (
    ("/", "Runs"),
    ("/waiting", "Waiting"),
    ("/supervision", "Supervision"),
    ("/evaluations", "Evaluations"),
    ("/figures", "Figures"),
)


@attrs.frozen(kw_only=True)
class Page:
    """A page to be. `root` is where the application is mounted, `place` which of `PLACES` it belongs to.

    Args:
        file: the name of the file, as it is shown.
        seq: up to which entry the file was read; news begin there.
        waiting: how many things wait for a person.
        run: of which run news are wanted; empty: of all.
    """

    root: str
    place: str
    title: str
    file: str
    seq: int
    waiting: int
    visitor: Visitor
    run: str = ""

    def document(self, *content: Child) -> str:
        """The whole page."""
        head = h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="color-scheme", content="light dark"),
            h("title", f"{self.title} · choragus"),
            h("link", rel="stylesheet", href=f"{self.root}/static/page.css"),
            h("link", rel="icon", href=f"{self.root}/static/icon.svg"),
            h("script", src=f"{self.root}/static/page.js", defer=True),
        )
        body = h(
            "body",
            h("a", "Skip to content", href="#main", class_="skip"),
            self._header(),
            h("main", content, id="main", tabindex="-1"),
            h("p", "", id="news", role="status", aria_live="polite"),
            help_on_keys(),
            data_root=self.root,
            data_events=f"{self.root}/events?after={self.seq}",
            data_run=self.run or None,
        )
        return joined(Html("<!doctype html>"), h("html", head, body, lang="en"))

    def _header(self) -> Html:
        links = [self._link(path, name) for path, name in PLACES]
        mode = "" if self.visitor.csrf else "read-only"
        who = h("span", f"as {self.visitor.by}") if self.visitor.by else None
        about = h(
            "p",
            h("span", self.file, class_="file", title=self.file),
            h("span", mode, class_="badge") if mode else None,
            who,
            h("span", "not live", id="live", class_="live"),
            h("button", "Keys ", h("kbd", "?"), type="button", id="keys", hidden=True),
            class_="about",
        )
        name = h("a", "choragus", href=f"{self.root}/", class_="name")
        return h("header", name, h("nav", h("ul", links), aria_label="Pages"), about)

    def _link(self, path: str, name: str) -> Html:
        count = h("span", self.waiting, class_="count") if path == "/waiting" and self.waiting else None
        here = "page" if path == self.place else None
        return h("li", h("a", name, count, href=f"{self.root}{path}", aria_current=here), id=f"nav-{name.lower()}")


def live(id: str, *content: Child, tag: str = "section", **attributes: str | None) -> Html:
    """A part of a page that is replaced when there is news."""
    return h(tag, *content, id=id, data_live=True, **attributes)


def help_on_keys() -> Html:
    """The dialog."""
    rows = [h("tr", h("td", h("kbd", key)), h("td", what)) for key, what in KEYS]
    close = h("form", h("button", "Close"), method="dialog")
    return h(
        "dialog", h("h2", "Keys", id="help-title"), h("table", rows), close, id="help", aria_labelledby="help-title"
    )


def figure(name: str, value: Child, title: str = "") -> Html:
    """One figure with its name, for a list of such."""
    return h("div", h("dt", name), h("dd", value), title=title or None)


def nothing(text: str) -> Html:
    """What stands where a list is empty."""
    return h("p", text, class_="nothing")
