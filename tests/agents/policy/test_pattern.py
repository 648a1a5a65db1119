"""Patterns that mean what Python's own do, and never take long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.policy.pattern import Pattern

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\.", "[a-c]"])


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    grouped = inner.map(lambda one: f"({one})")
    return st.one_of(
        st.lists(st.one_of(ATOMS, grouped), max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(grouped, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "{,1}" * 0 + "{1,2}"])).map("".join),
    )


@settings(max_examples=80, deadline=None)
@given(st.recursive(ATOMS, _more, max_leaves=5), st.text("abc.1", max_size=6))
def test_it_matches_what_pythons_own_matches(pattern: str, text: str) -> None:
    assert Pattern(pattern).matches(text) == (re.fullmatch(pattern, text, re.DOTALL | re.ASCII) is not None)


@pytest.mark.parametrize("nasty", ["(a*)*b", "(a|a)*b", "a*a*a*a*a*b", "(a|aa)+", "(.*a){20}", "(x+x+)+y"])
def test_a_pattern_that_python_would_never_finish_takes_time_in_proportion(nasty: str) -> None:
    pattern, begin = Pattern(nasty), time.process_time()

    pattern.matches("a" * 5_000 + "!")

    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("(a", r"'\(' without '\)'"),
        ("a)", r"'\)' without '\('"),
        ("*a", "nothing to repeat"),
        ("a**", "one repetition behind another"),
        ("[a", "it ends in the middle"),
        ("[b-a]", "b-a is no range"),
        ("a{2", "'}' is missing"),
        ("a{x}", "write {m}"),
        ("a{3,2}", "the second number is the smaller one"),
        ("a{5000}", "counts go up to 1000"),
        ("^a$", "the whole text is matched"),
        (r"(a)\1", r"\\1 is not known here"),
        ("(?=a)", "nothing to repeat"),
        ("(" * 60 + ")" * 60, "more than 50 deep"),
        ("((a{100}){100})", "it unfolds to more than 2000 places"),
        ("a" * 1001, "1000 are permitted"),
    ],
)
def test_a_badly_formed_pattern_is_refused(wrong: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Pattern(wrong)
