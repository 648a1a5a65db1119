"""Redaction as a policy: texts are rewritten, arguments never."""

from __future__ import annotations

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.check import Stage
from choragus.agents.policy.redaction import RedactionPolicy
from choragus.agents.policy.verdict import Deny, Rewrite

from .checks import calling, saying


@pytest.mark.parametrize("stage", [Stage.RESULT, Stage.REPLY, Stage.OUTPUT])
def test_a_text_is_rewritten(stage: Stage) -> None:
    assert RedactionPolicy().judge(saying("mail ada@example.org", stage)) == Rewrite(
        text="mail [redacted:email]", reason="redacted: email"
    )


def test_a_text_without_secrets_is_left() -> None:
    assert RedactionPolicy().judge(saying("mail Ada")) is None
    assert RedactionPolicy(kinds=["card"]).judge(saying("mail ada@example.org")) is None


def test_arguments_are_left_unless_they_are_to_be_refused() -> None:
    careful = RedactionPolicy(stages=frozenset({Stage.CALL}))

    assert Stage.CALL not in RedactionPolicy().stages
    assert careful.judge(calling(to=[{"mail": "ada@example.org"}], password="hunter2")) == Deny(
        "the arguments contain what must not be passed on: email, password"
    )
    assert careful.judge(calling(to="Ada", amount=5)) is None


def test_it_is_configured_strictly() -> None:
    with pytest.raises(AgentFault, match="nothing that can be redacted"):
        RedactionPolicy(kinds=["cards"])
    with pytest.raises(AgentFault, match="give some of Stage"):
        RedactionPolicy(stages=())
    assert RedactionPolicy().version != RedactionPolicy(kinds=["card"]).version
