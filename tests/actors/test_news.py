"""Who reads streams is woken by what concerns them."""

from __future__ import annotations

import pytest

from choragus.actors.news import News
from choragus.mailbox.turn import Entry


@pytest.mark.parametrize(
    ("stream", "kind", "is_woken"),
    [
        ("", "", True),
        ("a", "", True),
        ("a", "said", True),
        ("a", "done", False),
        ("b", "", False),
        ("b", "said", False),
    ],
)
def test_a_reader_is_woken_by_what_it_reads(stream: str, kind: str, is_woken: bool) -> None:
    news = News()
    event = news.reader(stream, kind)

    news.entered([Entry("a", "said", 1.0, b"{}")])

    assert event.is_set() is is_woken


def test_all_are_woken_at_once() -> None:
    news = News()
    events = [news.reader(), news.reader("a"), news.reader("a", "done")]

    news.wake()

    assert all(event.is_set() for event in events)


def test_one_that_is_done_is_not_woken() -> None:
    news = News()
    event = news.reader("a")
    news.done(event, "a")

    news.entered([Entry("a", "said", 1.0, b"{}")])
    news.wake()

    assert not event.is_set()
