"""What each risk class may do without anybody being asked."""

from __future__ import annotations

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.chain import Policy
from choragus.agents.policy.risk import RiskPolicy
from choragus.agents.policy.verdict import Allow, Ask, Deny, End

from .checks import calling


@pytest.mark.parametrize(("risk", "verdict"), [("read", Allow), ("reversible", Allow), ("irreversible", Ask)])
def test_a_risk_class_has_a_default(risk: str, verdict: type) -> None:
    assert isinstance(RiskPolicy().judge(calling(risk=risk)), verdict)


def test_a_risk_class_can_be_configured() -> None:
    policy = RiskPolicy(read="deny", reversible="ask", irreversible="end")

    verdicts = [type(policy.judge(calling(risk=risk))) for risk in ("read", "reversible", "irreversible")]

    assert verdicts == [Deny, Ask, End]


def test_an_unknown_risk_class_is_refused() -> None:
    assert RiskPolicy().judge(calling(risk="harmless")) == Deny("tool 'look' has the unknown risk class 'harmless'")


def test_a_word_that_is_no_decision_is_refused() -> None:
    with pytest.raises(
        AgentFault, match=r"^RiskPolicy\(reversible='maybe'\) is no decision: give one of 'allow', 'deny'"
    ):
        RiskPolicy(reversible="maybe")  # type: ignore[arg-type]  # that is the point


def test_the_version_follows_the_settings() -> None:
    assert RiskPolicy().version == RiskPolicy().version != RiskPolicy(reversible="ask").version
    assert isinstance(RiskPolicy(), Policy)
