"""Every rule of the supervision contract has a test that is named after it: `test_r12_...`, `test_r01_and_r30_...`."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
RULES = range(1, 48)


def rules_with_a_test() -> set[int]:
    """The rules that the names of test functions mention."""
    names = [
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]
    return {int(number) for name in names for number in re.findall(r"(?<=_)r(\d+)(?=_)", name)}


def test_every_rule_has_a_test_named_after_it() -> None:
    assert set(RULES) <= rules_with_a_test()


def test_no_test_names_a_rule_that_does_not_exist() -> None:
    assert rules_with_a_test() <= set(RULES)
