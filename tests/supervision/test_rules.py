"""Every rule of the supervision contract has tests that are named after it, and docs/rules.md says which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = range(1, 48)
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### R(\d+)\n(.*?)(?=^##|\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)

Named = tuple[str, str]
"""A test: its file below the root, and its function."""


def every_test() -> set[Named]:
    """Every test function of the suite."""
    return {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }


def rules_of(test: Named) -> set[int]:
    """The rules that the test is named after."""
    return {int(number) for number in re.findall(r"(?<=_)r(\d+)(?=_)", test[1])}


def listed_in(section: str) -> list[Named]:
    """The tests that a section of the page lists: a file in backquotes, then its functions."""
    listed: list[Named] = []
    file = ""
    for words in re.findall(r"<sub>(.*?)</sub>", section, flags=re.DOTALL):
        for word in re.findall(r"`([^`]+)`", words):
            if word.endswith(".py"):
                file = word
            else:
                listed.append((file, word))
    return listed


TESTS = every_test()


def test_no_test_names_a_rule_that_does_not_exist() -> None:
    assert [test for test in sorted(TESTS) if not rules_of(test) <= set(RULES)] == []


def test_the_page_has_every_rule_once_and_in_order() -> None:
    assert [int(number) for number, _ in SECTIONS] == list(RULES)


@pytest.mark.parametrize(("number", "section"), SECTIONS, ids=[f"r{number}" for number, _ in SECTIONS])
def test_the_page_lists_all_tests_of_a_rule_and_none_that_is_not(number: str, section: str) -> None:
    listed = listed_in(section)
    named_after = {test for test in TESTS if int(number) in rules_of(test)}

    assert named_after
    assert sorted(named_after - set(listed)) == []  # these are to be added below the rule in docs/rules.md
    assert sorted(set(listed) - TESTS) == []  # these are gone, or have another name now
    assert [test for test in listed if rules_of(test) and int(number) not in rules_of(test)] == []
    assert len(listed) == len(set(listed))
