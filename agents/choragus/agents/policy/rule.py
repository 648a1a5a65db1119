"""One rule of a configuration: which calls or texts it is about, and what it says of them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from .check import Check, Stage
from .decision import Decision, is_among, verdict_of
from .predicate import MISSING, Holds
from .verdict import Verdict


@frozen
class Condition:
    """Tests of the value that stands at a path of the arguments; of the text where the path is empty.

    A missing value fulfils nothing but `missing`. Of a list one item is enough; where the rule allows something it
    takes all of them, and an empty list does not do. `longer_than` is about the list itself.
    """

    path: tuple[str, ...]
    items: tuple[Holds, ...]
    whole: tuple[Holds, ...] = ()
    presence: tuple[Holds, ...] = ()

    def holds(self, check: Check, takes_all: bool) -> bool:
        """Whether every test does.

        Raises:
            TypeError: when a test says nothing about such a value.
        """
        value = _at(check.arguments, self.path) if self.path else check.text
        if not _all(self.presence, value):
            return False
        if not self.items and not self.whole:
            return True
        if value is MISSING or value is None or not _all(self.whole, value):
            return False
        if not isinstance(value, list):
            return _all(self.items, value)
        found = [_all(self.items, one) for one in value]
        return (bool(found) and all(found)) if takes_all else any(found) or not self.items


@frozen(kw_only=True)
class RulePolicy:
    """A rule as `load_policies` makes it; `version` is a hash of what stands in the file."""

    name: str
    version: str
    verdict: Decision
    reason: str
    approvers: tuple[str, ...] = ()
    stage: Stage = Stage.CALL
    tools: tuple[str, ...] = ("*",)
    agents: tuple[str, ...] = ("*",)
    risks: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    looks_back: int = field(default=0, init=False)
    stages: frozenset[Stage] = field(init=False)
    _said: Verdict = field(init=False, repr=False)
    _about: dict[tuple[str, str], bool] = field(factory=dict, init=False, repr=False, eq=False)

    @stages.default
    def _one_stage(self) -> frozenset[Stage]:
        return frozenset({self.stage})

    @_said.default
    def _says(self) -> Verdict:
        return verdict_of(self.verdict, self.reason, self.approvers)

    def judge(self, check: Check) -> Verdict | None:
        """What the rule says, if it is about this."""
        who = (check.tool, check.agent)
        is_about = self._about.get(who)
        if is_about is None:
            is_about = self._remember(who)
        if not is_about or (self.risks and check.risk not in self.risks):
            return None
        takes_all = self.verdict == "allow"
        for one in self.conditions:
            if not one.holds(check, takes_all):
                return None
        return self._said

    def _remember(self, who: tuple[str, str]) -> bool:
        if len(self._about) >= 1_000:
            self._about.clear()
        tool, agent = who
        found = self._about[who] = is_among(tool, self.tools) and is_among(agent, self.agents)
        return found


def _at(arguments: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = arguments
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def _all(tests: tuple[Holds, ...], value: object) -> bool:
    for test in tests:  # noqa: SIM110  # a generator takes three times as long, and this is what a rule does all day
        if not test(value):
            return False
    return True
