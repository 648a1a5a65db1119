"""The live tree as a value, and as a drawing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import attrs

from .drawing import Row, below, drawn
from .report import FailureReport
from .state import ChildState
from .strategy import OneForAll, OneForOne, RestForOne, Strategy

SIBLINGS = 50
"""Children of one parent that are drawn; the others are counted."""

NARROWEST = 40

Kind: TypeAlias = Literal["supervisor", "actor", "region"]


@attrs.frozen(kw_only=True)
class TreeNode:
    """A supervisor, an actor or a region as it stood when it was asked for. `str()` draws it with all below it.

    Attributes:
        name: unique among its siblings.
        path: its place in the tree; empty for the root. A region's is its type's name.
        kind: a region holds the durable actors of one type; those that are in memory are its children.
        state: as its supervisor sees it.
        actor: the name of the actor's class, for a region that of its actors; empty for a supervisor.
        depth: how many messages wait; for a durable actor those that are in memory, 64 at most.
        current: the type of the message whose handler runs.
        attempts: how often a durable actor has failed on the message that it is to handle next; for a region, how
            often each message is tried.
        restarts: how often its supervisor restarted it; not counted for durable actors, see `attempts`.
        incarnation: grows with each restart, and when the actor ends.
        strategy: a supervisor's, with its intensity and backoff.
        children: in start order.
        failures: the last 5, the latest first.
    """

    name: str
    path: str
    kind: Kind
    state: ChildState
    actor: str = ""
    depth: int = 0
    current: str | None = None
    attempts: int = 0
    restarts: int = 0
    incarnation: int = 0
    strategy: Strategy | None = None
    children: tuple[TreeNode, ...] = ()
    failures: tuple[FailureReport, ...] = ()

    def __str__(self) -> str:
        return self.render()

    def walk(self) -> Iterator[TreeNode]:
        """This one and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> TreeNode:
        """The one at that path.

        Raises:
            LookupError: when nothing stands there.
        """
        for node in self.walk():
            if node.path == path:
                return node
        raise LookupError(f"nothing stands at {path!r} in this tree: walk() gives all that does")

    def render(self, width: int = 100, siblings: int = SIBLINGS) -> str:
        """The tree as text, one line for each.

        Args:
            width: characters of a line at most, 40 or more.
            siblings: children of one parent that are drawn, 1 or more; first of all those that are not running or
                have failed. The others are counted by their state.
        """
        if width < NARROWEST or siblings < 1:
            raise ValueError(f"width={width!r} must be {NARROWEST} or more, siblings={siblings!r} 1 or more")
        return drawn(list(_rows(self, "", siblings)), width)


def _rows(node: TreeNode, lines: str, siblings: int) -> Iterator[Row]:
    yield Row(lines, node.name, _what(node), node.state.value, ", ".join(_notes(node)))
    inner = below(lines)
    shown, rest = _picked(node.children, siblings)
    for child in shown:
        is_last = child is shown[-1] and not rest
        yield from _rows(child, inner + ("└─ " if is_last else "├─ "), siblings)
    if rest:
        states = Counter(child.state.value for child in rest)
        counts = ", ".join(f"{state} {count:,}" for state, count in states.most_common())
        yield Row(inner + "└─ ", f"… {len(rest):,} more: {counts}")


def _picked(children: Sequence[TreeNode], siblings: int) -> tuple[Sequence[TreeNode], Sequence[TreeNode]]:
    """Those that are drawn, in their order, and those that are not."""
    if len(children) <= siblings:
        return children, ()
    order = sorted(range(len(children)), key=lambda number: _is_quiet(children[number]))
    chosen = set(order[:siblings])
    shown = [child for number, child in enumerate(children) if number in chosen]
    return shown, [child for number, child in enumerate(children) if number not in chosen]


def _is_quiet(node: TreeNode) -> bool:
    return node.state is ChildState.RUNNING and not node.failures and not node.restarts


def _what(node: TreeNode) -> str:
    if node.kind == "region":
        return f"region of {node.actor}"
    return node.actor if node.strategy is None else f"{_order(node.strategy)}, {_intensity(node.strategy)}"


def _order(strategy: Strategy) -> str:
    match strategy:
        case OneForOne():
            return "one-for-one"
        case OneForAll():
            return "one-for-all"
        case RestForOne():
            return "rest-for-one"


def _intensity(strategy: Strategy) -> str:
    return f"{strategy.max_restarts} in {strategy.within:g} s"


def _notes(node: TreeNode) -> Iterator[str]:
    if node.current is not None:
        yield f"on {node.current}"
    if node.depth:
        yield f"{node.depth:,} waiting"
    if node.attempts:
        yield _several(node.attempts, "attempt" if node.kind == "region" else "failed attempt")
    if node.restarts:
        yield _several(node.restarts, "restart")
    if node.failures:
        yield f"last: {node.failures[0].error}"


def _several(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
