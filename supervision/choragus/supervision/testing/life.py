"""One process of a scenario, from the fork to its end."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
import traceback
from types import TracebackType

import msgspec

import choragus.actors.fault as fault
from choragus.mailbox.sqlite import SqliteStore

from .errors import ScenarioFault
from .meter import Meter
from .order import RAISED, Order, Scenario, Witness

PAGE = 1000


def live(scenario: Scenario, order: Order, told: int) -> None:
    """The forked child's whole life; it never comes back. The witness, or an error as text, goes to `told`."""
    signal.setitimer(signal.ITIMER_REAL, order.patience)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's, who then closes the pipe
    os.dup2(os.open(order.printed, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    os.dup2(1, 2)
    answer: Witness | str
    code = RAISED
    try:
        answer = asyncio.run(_live(scenario, order))
        code = 0
    except ScenarioFault as error:
        answer = str(error)
    except BaseException as error:
        answer = "".join(traceback.format_exception(error.with_traceback(_own(error.__traceback__))))
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        with os.fdopen(told, "wb") as stream:
            pickle.dump(answer, stream)
    finally:
        os._exit(code)


async def _live(scenario: Scenario, order: Order) -> Witness:
    meter = Meter(order.ledger, order.life, order.point, order.grave)
    fault.hook = meter.hook
    outcome = await scenario(order.database, meter.ledger)
    fault.hook = None
    if not order.database.exists():
        raise ScenarioFault(
            f"the scenario left no file at the path {order.database.name!r} that it was given: "
            "open a system on it, as in `async with System(path, actors=[...])`"
        )
    try:
        plain: object = msgspec.json.decode(msgspec.json.encode(outcome))
    except (TypeError, msgspec.MsgspecError) as error:
        raise ScenarioFault(
            f"the scenario gave back {outcome!r}, which is no JSON ({error}): give back numbers, texts, lists, "
            "dictionaries or attrs classes of them"
        ) from error
    return await _witness(order, meter, plain)


async def _witness(order: Order, meter: Meter, outcome: object) -> Witness:
    store = await SqliteStore.open(order.database, visitor=True)
    try:
        log: list[tuple[str, str, str]] = []
        after = 0
        while page := await store.log(after, PAGE):
            log += [(entry.stream, entry.kind, entry.body.decode()) for entry in page]
            after = page[-1].seq
        return Witness(
            outcome=outcome,
            counts=dict(meter.counts),
            log=tuple(log),
            parked=tuple((str(one.envelope.receiver), one.reason) for one in await store.parked()),
            problems=(await store.verify()).problems,
            unfinished=tuple(effect.id for effect in await store.effects()),
        )
    finally:
        await store.close()


def _own(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the scenario."""
    frames = trace
    while frames is not None and frames.tb_frame.f_code is not _live.__code__:
        frames = frames.tb_next
    return trace if frames is None or frames.tb_next is None else frames.tb_next
