"""docs/security.md names every requirement, and the tests that hold it: all of them, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### S(\d+)\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
REQUIREMENTS = range(1, 46)


def requirements_of(test: str) -> set[int]:
    """The requirements that a test is named after."""
    return {int(number) for number in re.findall(r"(?<=_)s(\d+)(?=_)", test)}


TESTS = {
    (path.relative_to(ROOT).as_posix(), name)
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if requirements_of(name)
}


def listed_in(section: str) -> set[tuple[str, str]]:
    """The tests that a section lists: a file in backquotes, then its functions."""
    listed: set[tuple[str, str]] = set()
    file = ""
    for words in re.findall(r"<sub>(.*?)</sub>", section, flags=re.DOTALL):
        for word in re.findall(r"`([^`]+)`", words):
            if word.endswith(".py"):
                file = word
            else:
                listed.add((file, word))
    return listed


def test_the_page_has_every_requirement_once_and_in_order() -> None:
    assert [int(number) for number, _ in SECTIONS] == list(REQUIREMENTS)


@pytest.mark.parametrize(("number", "section"), SECTIONS, ids=[f"s{number}" for number, _ in SECTIONS])
def test_a_requirement_lists_its_tests_or_says_that_it_is_open(number: str, section: str) -> None:
    named_after = {test for test in TESTS if int(number) in requirements_of(test[1])}

    assert listed_in(section) == named_after
    assert bool(named_after) is ("*Not yet*" not in section)
