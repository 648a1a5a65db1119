"""What a guardrail remembers of its run for policies that look back, or compare with earlier runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .fingerprint import short_hash
from .policy.chain import Chain, Ruling
from .policy.check import PastCall
from .policy.norms import Figures
from .policy.verdict import Allow


@attrs.define
class Hindsight:
    """The calls under way, how often each policy had the last word with anything but Allow, and the run's figures.

    Each is kept only if a policy wants it; `arguments` of a call until it has ended.
    """

    running: list[PastCall] = attrs.field(factory=list)
    objections: dict[str, int] = attrs.field(factory=dict)
    arguments: dict[str, dict[str, object]] = attrs.field(factory=dict)
    figures: Figures = attrs.field(factory=Figures)

    def note_ruling(self, ruling: Ruling) -> None:
        """A policy had the last word."""
        if not isinstance(ruling.verdict, Allow) and ruling.policy != "default":
            self.objections[ruling.policy] = self.objections.get(ruling.policy, 0) + 1

    def begin(self, chain: Chain, call: str, tool: str, arguments: Mapping[str, object], now: float) -> None:
        """A call may run, or waits for a person."""
        if chain.looks_back:
            one = PastCall(
                call=call, tool=tool, arguments=short_hash(dict(arguments)), result="", is_error=False, at=now
            )
            self.running.append(one)
        if chain.wants_norms:
            self.arguments[call] = dict(arguments)

    def end(self, call: str, tool: str, *, ran: bool) -> None:
        """It has ended."""
        self.running = [one for one in self.running if one.call != call]
        arguments = self.arguments.pop(call, None)
        if ran and arguments is not None:
            self.figures.note(tool, arguments)
