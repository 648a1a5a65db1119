"""A second process beside a live run: approves each call that a line on its input names, and says when it did.

    python benchmarks/visitor.py FILE

A line is `RUN CALL HASH`; the answer is the monotonic time, in seconds, just before the decision was appended.
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

from choragus.agents.message import GUARDRAIL, Decide
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Envelope


async def main(path: str) -> None:
    """Serve until the input ends."""
    store = await SqliteStore.open(path, visitor=True)
    print("ready", flush=True)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            run, call, hash = line.split()
            decision = Decide(call=call, approved=True, by="visitor", hash=hash)
            envelope = Envelope(
                id=f"visitor#{call}", receiver=actor_id(GUARDRAIL, run), sender="visitor", record=encode(decision)
            )
            begin = monotonic()
            await store.append([envelope])
            print(begin, flush=True)
    finally:
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
