"""The trail of one run: its stretches, which are the spans that all others stand below, and their events. Pure."""

from __future__ import annotations

import attrs

from choragus.mailbox.turn import LogEntry

from . import attribute
from . import convention as names
from .convention import Convention
from .fact import MOST_EVENTS, Attributes, Facts, Fields, Happened, Link, SpanFact
from .identity import SpanRef, span_of


@attrs.frozen(kw_only=True)
class Origin:
    """Where a run comes from: the span that it stands below, what it goes on from, and whether it is exported."""

    trace: int
    parent: SpanRef | None = None
    links: tuple[Link, ...] = ()
    sampled: bool = True


@attrs.define
class Stretch:
    """The work on a run between two pauses."""

    number: int
    at: SpanRef
    started: float
    links: tuple[Link, ...]
    events: list[Happened] = attrs.field(factory=list)
    dropped: int = 0


class Trail:
    """The stretches of a run.

    Args:
        origin: where it comes from, once its first entry is known.
    """

    def __init__(self, run: str, origin: Origin, convention: Convention) -> None:
        self.run = run
        self.origin = origin
        self._convention = convention
        self._agent = self._model = self._manifest = self._tenant = ""
        self._conversation, self._provider = run, names.OTHER
        self._stretch: Stretch | None = None
        self._stretches = 0
        self._before: SpanRef | None = None
        self._worked = 0.0

    @property
    def root(self) -> SpanRef:
        """The first stretch."""
        return self._ref("")

    def _begin(self, at: float) -> None:
        self._stretches += 1
        part = "" if self._stretches == 1 else f"stretch {self._stretches}"
        links = self.origin.links if self._before is None else (link(self._before, "resumes"),)
        self._stretch = Stretch(self._stretches, self._ref(part), at, links)

    def _close(self, at: float, facts: Facts, more: Attributes, error: str = "") -> None:
        stretch = self._stretch
        if stretch is None:
            return
        self._stretch, self._before = None, stretch.at
        self._worked += at - stretch.started
        attributes: Attributes = {
            names.OPERATION: names.INVOKE_AGENT,
            names.AGENT: self._agent,
            names.CONVERSATION: self._conversation,
            names.RUN: self.run,
            names.STRETCH: stretch.number,
            **({names.PROVIDER: self._provider} if names.PROVIDER in self._convention.of_invocation else {}),
            **({names.MODEL: self._model} if self._model else {}),
            **({names.MANIFEST: self._manifest} if self._manifest else {}),
            **({names.TENANT: self._tenant} if self._tenant else {}),
            **more,
        }
        facts.spans.append(
            SpanFact(
                at=stretch.at,
                parent=self.origin.parent if stretch.number == 1 else self.root,
                name=f"{names.INVOKE_AGENT} {self._agent}",
                attributes=attributes,
                started=stretch.started,
                ended=at,
                error=error,
                events=tuple(stretch.events),
                dropped_events=stretch.dropped,
                links=stretch.links,
            )
        )

    def _note(self, entry: LogEntry, fields: Fields) -> None:
        """An event on the stretch in hand."""
        stretch, said = self._stretch, attribute.of_an_event(entry.kind, fields)
        if said is None or stretch is None:
            return
        if len(stretch.events) < MOST_EVENTS:
            stretch.events.append(Happened(name=f"choragus.{entry.kind}", at=entry.at, attributes=said))
        else:
            stretch.dropped += 1

    def _ref(self, part: str) -> SpanRef:
        return SpanRef(self.origin.trace, span_of(self.run, part), self.origin.sampled)

    @property
    def _above(self) -> SpanRef:
        """What a span of now stands below: the stretch in hand, or behind the run's end the last one."""
        return self._stretch.at if self._stretch is not None else self._before or self.root

    def _small(
        self,
        part: str,
        name: str,
        attributes: Attributes,
        facts: Facts,
        *,
        started: float,
        ended: float,
        error: str = "",
        at: SpanRef | None = None,
        above: SpanRef | None = None,
    ) -> None:
        """A span within the process, below the stretch in hand unless said otherwise."""
        made = SpanFact(
            at=at or self._ref(part),
            parent=above or self._above,
            name=name,
            attributes=attributes,
            started=started,
            ended=ended,
            error=error,
        )
        facts.spans.append(made)


def link(to: SpanRef, why: str) -> Link:
    return Link(to=to, attributes={names.LINK: why})
