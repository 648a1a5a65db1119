"""What becomes of hostile text on the page."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.web.html import Html, cut, h, joined, seen, spelled


class _Reader(HTMLParser):
    """The tags, attributes and text of a page, as a browser takes it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_element_with_children_of_all_kinds() -> None:
    made = h("p", "a < b", None, 3, [h("b", "x"), "&"], class_="it", aria_label='"', hidden=True, id=None, title=False)

    assert made == '<p class="it" aria-label="&quot;" hidden>a &lt; b3<b>x</b>&amp;</p>'
    assert h("br") == "<br>"
    assert isinstance(joined("<"), Html)


@settings(max_examples=60)
@given(st.text(), st.text())
def test_whatever_is_written_it_makes_no_tag_and_no_attribute(text: str, value: str) -> None:
    page = _Reader()

    page.feed(h("p", text, title=value))
    page.close()

    assert page.tags == [("p", [("title", seen(value))])]
    assert page.text == seen(text)


def test_marks_that_turn_text_around_and_controls_are_spelled_out_and_lines_stay() -> None:
    assert seen("a\u202eb\x1b[2J\u200b\n\tc\r") == "a\\u202eb\\u001b[2J\\u200b\n\tc\\r"
    assert seen("Grüße, 東京") == "Grüße, 東京"


def test_json_means_exactly_the_value_and_stays_in_its_lines() -> None:
    assert spelled({"a": "</script>\n\u202e"}, indent=None) == '{"a": "</script>\\n\\u202e"}'


def test_a_long_text_is_cut_with_a_sign() -> None:
    assert (cut("abcdef", 6), cut("abc defg", 5)) == ("abcdef", "abc…")
