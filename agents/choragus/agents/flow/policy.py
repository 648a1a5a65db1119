"""The policy that lets untrusted text steer nothing that matters."""

from __future__ import annotations

from typing import ClassVar, Literal

from attrs import field, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.policy.check import Check, Stage
from choragus.agents.policy.verdict import Allow, Ask, Deny, End, Verdict

from .reading import Origins

Answer = Literal["ask", "deny"]

COMMIT = "commit_plan"


def _answer(flow: object, attribute: object, value: object) -> None:
    if value not in ("ask", "deny"):
        raise AgentFault(f"InformationFlow has {value!r} where it takes 'ask' or 'deny'")


@frozen(kw_only=True)
class InformationFlow:
    """Judges calls that change something, or whose tool is guarded, by where they come from.

    As long as the context holds nothing untrusted it has no word. Behind that, a call that the plan holds passes when
    each argument is as trusted as its tool wants it; else it is `arguments`. A call that the plan does not hold is
    `unplanned`: denied, or put to a person. When the plan was committed with open=true that is always a person.

    Args:
        unplanned: for calls whose decision untrusted text may have steered.
        arguments: for planned calls with an argument that untrusted text may have steered too far.
        output: None lets every answer pass. For one that untrusted text may have steered "ask" asks a person, and "end"
            ends the run without it.
        vouch: whether an irreversible call that nothing untrusted had a part in runs without a person. By default the
            risk class decides, and a person is asked.

    Raises:
        AgentFault: when an option is none of those it may be.
    """

    name: ClassVar[str] = "information-flow"
    looks_back: ClassVar[int] = 0
    stages: ClassVar[frozenset[Stage]] = frozenset({Stage.CALL, Stage.OUTPUT})
    follows_information: ClassVar[bool] = True

    unplanned: Answer = field(default="deny", validator=_answer)
    arguments: Answer = field(default="ask", validator=_answer)
    output: Literal["ask", "end"] | None = None
    vouch: bool = False

    def __attrs_post_init__(self) -> None:
        if self.output not in (None, "ask", "end"):
            raise AgentFault(f"output={self.output!r} of InformationFlow is none of None, 'ask' and 'end'")
        if not isinstance(self.vouch, bool):
            raise AgentFault(f"vouch={self.vouch!r} of InformationFlow is neither True nor False")

    @property
    def version(self) -> str:
        """The settings: another rule when they are others."""
        return f"1 {self.unplanned} {self.arguments} {self.output or 'pass'} {'vouch' if self.vouch else 'default'}"

    def judge(self, check: Check) -> Verdict | None:
        """See the class."""
        origins = check.origins
        if origins is None:
            return None
        if check.stage is Stage.OUTPUT:
            return self._judge_output(origins)
        if check.tool == COMMIT:
            return (
                None if origins.decision.label.is_trusted else Deny("a plan is made before anything untrusted is read")
            )
        if not origins.decision.label.is_trusted:
            return self._judge_unplanned(check, origins)
        worst = [name for name, origin in origins.arguments.items() if not origin.is_fine]
        if worst:
            told = "; ".join(f"{name}: {origins.arguments[name]}" for name in worst)
            return _say(self.arguments, f"untrusted text may have steered what {check.tool} is given: {told}")
        return Allow("from trusted sources, or as planned") if self.vouch else None

    def _judge_unplanned(self, check: Check, origins: Origins) -> Verdict:
        if not origins.has_plan:
            why = f"untrusted text may have led to this call of {check.tool}, and no plan was committed before"
        else:
            why = f"this call of {check.tool} is not planned, and untrusted text may have led to it"
        return _say("ask" if origins.is_open else self.unplanned, why)

    def _judge_output(self, origins: Origins) -> Verdict | None:
        if self.output is None or origins.decision.label.is_trusted:
            return None
        why = "untrusted text may have steered this answer"
        return Ask(why) if self.output == "ask" else End(why)


def _say(answer: Answer, reason: str) -> Verdict:
    return Ask(reason) if answer == "ask" else Deny(reason)
