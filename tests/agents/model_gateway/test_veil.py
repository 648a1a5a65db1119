"""What may be shown of a text while it is still being written."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tests.agents.play import Rule

from choragus.agents.model_gateway.veil import SecretStream, Veil, uncertain, veil
from choragus.agents.policy import Stage
from choragus.agents.policy.chain import Chain
from choragus.agents.policy.redacted import KINDS
from choragus.agents.policy.redaction import RedactionPolicy
from choragus.agents.toolbelt.secret import Vault

SECRETS = {"one": "abcabcd", "two": "cdefgh ij", "three": "aaaaaaa", "four": 'quo"ted\\x'}


def vault() -> Vault:
    """One that knows some secrets that begin alike and overlap."""
    made = Vault(SECRETS)
    made.check(SECRETS)
    return made


def cut(text: str, seed: int) -> list[str]:
    """The text in pieces."""
    drawn = random.Random(seed)
    places = sorted({0, len(text), *(drawn.randrange(len(text)) for _ in range(drawn.randrange(12)))})
    return [text[a:b] for a, b in pairwise(places)]


@pytest.mark.parametrize(
    "seeds", [range(60), pytest.param(range(60, 5000), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_text_in_pieces_gives_what_it_gives_at_once(seeds: range) -> None:
    for seed in seeds:
        _check(seed)


def _check(seed: int) -> None:
    drawn = random.Random(seed)
    parts = [*SECRETS.values(), *vault().forms, "abc", "aaaa", "ab cd", " ", "the ", "x" * 40, "ada@example.org"]
    text = "".join(drawn.choice(parts) for _ in range(12)) or "x"
    cover = Veil(vault(), (frozenset(KINDS),) if seed % 2 else ())

    pieces = cover.stream()
    shown = "".join(pieces.feed(one) for one in cut(text, seed)) + pieces.close()

    assert shown == cover.over(text)
    assert not any(secret in shown for secret in SECRETS.values())


def test_s42_no_piece_of_a_secret_is_given_back_before_it_is_known_to_be_none() -> None:
    stream = SecretStream(vault())

    shown = [stream.feed(one) for one in ("go ", "abc", "abc", "!", "abcab", "cd", " on")]

    assert shown == ["go ", "", "", "abcabc!", "", "", "[secret one] on"]


def test_without_secrets_nothing_is_held_back() -> None:
    stream = SecretStream(Vault())

    assert [stream.feed(one) for one in ("a", "b")] == ["a", "b"]
    assert uncertain("abc", []) == 3


@pytest.mark.parametrize(
    ("policies", "covers"),
    [
        ((), ()),
        ((RedactionPolicy(kinds=["email"]),), (frozenset({"email"}),)),
        ((RedactionPolicy(stages=[Stage.RESULT]),), ()),
        ((Rule(Stage.CALL, lambda _: None),), ()),
        ((Rule(Stage.REPLY, lambda _: None),), None),
        ((Rule(Stage.OUTPUT, lambda _: None), RedactionPolicy()), None),
    ],
    ids=["none", "redaction", "of results", "of calls", "of replies", "of the answer"],
)
def test_what_policies_judge_decides_what_is_shown(
    policies: tuple[RedactionPolicy | Rule, ...], covers: tuple[frozenset[str], ...] | None
) -> None:
    found = veil(Chain.of(policies), Vault())

    assert (None if found is None else found.kinds) == covers
