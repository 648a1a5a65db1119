"""The policies of an agent in their order, and what they say together. Pure: no clock, no I/O, nothing remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import attrs

from .check import Check, Stage
from .verdict import Allow, Ask, Deny, End, Escalate, Rewrite, Verdict

_KINDS = (Allow, Rewrite, Ask, Escalate, Deny, End)


@runtime_checkable
class Policy(Protocol):
    """A rule. It is asked at each of its stages, gets all it may need in the check, and keeps nothing between two.

    `version` is another whenever the rule says anything else; both stand beside each ruling in the logbook, and in the
    run's manifest. `looks_back` is how many of the run's latest calls it wants to see. Three more may be there:
    `wants_norms` when it compares with earlier runs (`Check.norms`), `wants_plan` when it looks at where in its plan
    the run is (`Check.planned`), `is_default` as `Chain` has it.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def stages(self) -> frozenset[Stage]: ...

    @property
    def looks_back(self) -> int: ...

    def judge(self, check: Check) -> Verdict | None:
        """The rule's word, or None when it has none. Raising is Deny."""


@attrs.frozen(kw_only=True)
class Ruling:
    """What all policies together say, and whose word that was.

    `check` is what was judged as the rewriting policies left it; `rewritten` names these.
    """

    verdict: Verdict
    check: Check
    policy: str
    version: str
    rewritten: tuple[str, ...] = ()


@attrs.frozen
class Chain:
    """Policies in their order.

    Every policy of the stage is asked. Deny and End stop at once. Rewrite changes what the later ones see. Of what else
    is said the strictest counts: Escalate before Ask before Allow. A call that nobody has a word on runs when it reads
    or can be undone; otherwise a person decides. Anything else that nobody has a word on passes.

    A policy with `is_default` (RiskPolicy) replaces that last rule: its word, whatever it is, counts beside those of
    the others, but an Allow of another one replaces it.
    """

    policies: tuple[Policy, ...] = ()
    wants_norms: bool = attrs.field(init=False, eq=False)
    """Whether a policy compares with what earlier runs of this version did."""
    wants_plan: bool = attrs.field(init=False, eq=False)
    """Whether a policy looks at where in its plan a run is."""
    looks_back: int = attrs.field(init=False, eq=False)
    """How many of the run's latest calls have to be kept for the policies."""
    follows_information: bool = attrs.field(init=False, eq=False)
    """Whether a policy wants to know where calls and answers come from."""
    _by_stage: Mapping[Stage, tuple[Policy, ...]] = attrs.field(init=False, eq=False, repr=False)

    @wants_norms.default
    def _wanting(self) -> bool:
        return any(getattr(policy, "wants_norms", False) for policy in self.policies)

    @wants_plan.default
    def _wanting_plan(self) -> bool:
        return any(getattr(policy, "wants_plan", False) for policy in self.policies)

    @follows_information.default
    def _following(self) -> bool:
        return any(getattr(policy, "follows_information", False) for policy in self.policies)

    @looks_back.default
    def _looking(self) -> int:
        return max([int(self.wants_norms), *(policy.looks_back for policy in self.policies)])

    @_by_stage.default
    def _grouped(self) -> Mapping[Stage, tuple[Policy, ...]]:
        return {stage: tuple(one for one in self.policies if stage in one.stages) for stage in Stage}

    @classmethod
    def of(cls, *groups: Iterable[Policy]) -> Chain:
        """One chain of several groups, the first group first."""
        return cls(tuple(policy for group in groups for policy in group))

    def looks_at(self, stage: Stage) -> bool:
        """Whether any policy looks at the stage."""
        return bool(self._by_stage[stage])

    def rule(self, check: Check) -> Ruling:
        """What the policies say of it together."""
        said: tuple[Verdict, Policy] | None = None
        default: tuple[Verdict, Policy] | None = None
        rewritten: list[str] = []
        for policy in self._by_stage[check.stage]:
            verdict = _word(policy, check)
            match verdict:
                case None:
                    pass
                case _ if getattr(policy, "is_default", False):
                    default = verdict, policy
                case Deny() | End():
                    return _ruling(verdict, policy, check, rewritten)
                case Rewrite():
                    check = _rewritten(check, verdict)
                    rewritten.append(policy.name)
                case _:
                    said = _stricter(said, (verdict, policy))
        if default is not None and not (said and isinstance(said[0], Allow)):
            said = _stricter(said, default)
        if said is not None:
            return _ruling(*said, check, rewritten)
        return Ruling(verdict=_default(check), check=check, policy="default", version="1", rewritten=tuple(rewritten))


def _stricter(one: tuple[Verdict, Policy] | None, other: tuple[Verdict, Policy]) -> tuple[Verdict, Policy]:
    return other if one is None or _KINDS.index(type(other[0])) > _KINDS.index(type(one[0])) else one


def _word(policy: Policy, check: Check) -> Verdict | None:
    try:
        verdict = policy.judge(check)
    except Exception as error:
        return Deny(f"policy {policy.name!r} failed with {type(error).__name__}, and what cannot be judged is denied")
    if verdict is None or isinstance(verdict, _KINDS):
        return verdict
    return Deny(
        f"policy {policy.name!r} said {type(verdict).__name__}, which is no verdict: what is not judged is denied"
    )


def _rewritten(check: Check, verdict: Rewrite) -> Check:
    if check.stage is Stage.CALL:
        return check if verdict.arguments is None else attrs.evolve(check, arguments=verdict.arguments)
    return check if verdict.text is None else attrs.evolve(check, text=verdict.text)


def _ruling(verdict: Verdict, policy: Policy, check: Check, rewritten: list[str]) -> Ruling:
    return Ruling(verdict=verdict, check=check, policy=policy.name, version=policy.version, rewritten=tuple(rewritten))


def _default(check: Check) -> Verdict:
    if check.stage is not Stage.CALL:
        return Allow()
    if check.risk in ("read", "reversible"):
        return Allow(f"{check.risk} tools run by default")
    return Ask("irreversible: a person decides")
