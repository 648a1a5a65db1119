"""Reads the live tree: nothing is waited for, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable

from choragus.actors.cell import Cell
from choragus.actors.durable_cell import DurableCell
from choragus.actors.notice import Notice
from choragus.actors.status import Status
from choragus.mailbox.address import key_of, type_of

from .ledger import Ledger
from .slot import Slot
from .spec import Child, Region
from .state import ChildState
from .supervisor import Node
from .tree import TreeNode

STATES = {
    Status.STARTING: ChildState.STARTING,
    Status.RUNNING: ChildState.RUNNING,
    Status.FAILED: ChildState.RESTARTING,
    Status.STOPPING: ChildState.STOPPING,
    Status.STOPPED: ChildState.STOPPED,
}


def inspected(root: Node, regions: Iterable[Region], population: Iterable[DurableCell], ledger: Ledger) -> TreeNode:
    """The root and all that is below it, the regions last."""
    of: dict[str, list[DurableCell]] = {}
    for cell in population:
        of.setdefault(type_of(cell.id), []).append(cell)
    state = STATES[root.status]
    homes = tuple(_region(region, state, of.get(region.durable.type_name, ()), ledger) for region in regions)
    return _supervisor(root, root.spec.name, state, 0, ledger, homes)


def _supervisor(
    node: Node, name: str, state: ChildState, restarts: int, ledger: Ledger, last: tuple[TreeNode, ...] = ()
) -> TreeNode:
    children = tuple(_child(slot, node.histories.restarts(slot.name), ledger) for slot in node.slots.values())
    return TreeNode(
        name=name,
        path=node.path,
        kind="supervisor",
        state=state,
        restarts=restarts,
        incarnation=node.incarnation,
        strategy=node.spec.strategy,
        children=children + last,
        failures=ledger.of(node.path),
    )


def _child(slot: Slot, restarts: int, ledger: Ledger) -> TreeNode:
    running, spec = slot.running, slot.spec
    if isinstance(running, Node):
        return _supervisor(running, spec.name, slot.truth, restarts, ledger)
    assert isinstance(running, Cell)
    assert isinstance(spec, Child)
    return TreeNode(
        name=spec.name,
        path=running.path,
        kind="actor",
        state=slot.truth,
        actor=getattr(spec.actor, "__name__", type(spec.actor).__name__),
        depth=running.depth,
        current=_current(running),
        restarts=restarts,
        incarnation=running.incarnation,
        failures=ledger.of(running.path),
    )


def _current(cell: Cell) -> str | None:
    if cell.current is None:
        return None
    message = cell.current[0]
    return message.name if isinstance(message, Notice) else type(message).__name__


def _region(region: Region, state: ChildState, cells: Iterable[DurableCell], ledger: Ledger) -> TreeNode:
    actor = region.actor.__name__
    name = region.durable.type_name
    return TreeNode(
        name=name,
        path=name,
        kind="region",
        state=state,
        actor=actor,
        attempts=region.attempts,
        children=tuple(_durable(cell, actor, ledger) for cell in cells),
    )


def _durable(cell: DurableCell, actor: str, ledger: Ledger) -> TreeNode:
    current, head = cell.current, cell.inbox.head
    attempts = 0 if head is None else head.attempts
    return TreeNode(
        name=key_of(cell.id),
        path=cell.path,
        kind="actor",
        state=ChildState.RESTARTING if cell.status is Status.STARTING and attempts else STATES[cell.status],
        actor=actor,
        depth=len(cell.inbox) - (current is not None),
        current=None if current is None else type(current.message).__name__,
        attempts=attempts,
        incarnation=cell.incarnation,
        failures=ledger.of(cell.path),
    )
