"""What each risk class may do without anybody being asked."""

from __future__ import annotations

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.chain import Chain, Policy
from choragus.agents.policy.check import Check, Stage
from choragus.agents.policy.risk import RiskPolicy
from choragus.agents.policy.verdict import Allow, Ask, Deny, End, Verdict

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


def test_an_allow_of_another_policy_replaces_the_word_on_the_class() -> None:
    class Small:
        name = version = "small"
        stages = frozenset({Stage.CALL})
        looks_back = 0

        def judge(self, check: Check) -> Verdict | None:
            return Allow("small") if check.arguments["amount"] == 1 else None

    chain = Chain.of([RiskPolicy(irreversible="deny")], [Small()])

    small, large = (chain.rule(calling("pay", risk="irreversible", amount=amount)) for amount in (1, 2))

    assert (small.verdict, small.policy) == (Allow("small"), "small")
    assert (large.verdict, large.policy) == (Deny("irreversible tools: deny"), "risk")


def test_an_allow_does_not_replace_what_another_policy_asks() -> None:
    class Says:
        version = "1"
        stages = frozenset({Stage.CALL})
        looks_back = 0

        def __init__(self, name: str, verdict: Verdict) -> None:
            self.name, self.verdict = name, verdict

        def judge(self, check: Check) -> Verdict | None:
            return self.verdict

    chain = Chain.of([RiskPolicy(), Says("fine", Allow()), Says("odd", Ask("odd"))])

    assert chain.rule(calling(risk="irreversible")).policy == "odd"
