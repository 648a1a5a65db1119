"""A logbook that somebody edits afterwards: what the file itself shows, and what only an exported head does.

    python examples/verified_logbook.py

It needs no key and no network.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from contextlib import closing, redirect_stdout
from pathlib import Path

import anyio

from choragus.agents import Agent, ModelReply, Runtime, ScriptedModel, ToolCall, tool
from choragus.agents.cli import main as choragus


@tool(risk="reversible")
def refund(order: str, amount: int) -> str:
    """Refund an order."""
    return f"refunded {amount} for {order}"


async def run(file: Path) -> None:
    """One run, and what its logbook says of the money."""
    asks = ModelReply(calls=(ToolCall("a", "refund", {"order": "A-17", "amount": 40}),))
    clerk = Agent("clerk", model=ScriptedModel([asks, "Done."]), tools=[refund])
    async with Runtime(file, agents=[clerk]) as runtime:
        await (await runtime.start(clerk, "Refund order A-17.", key="A-17")).result()
        async for entry in runtime.log(kind="call.*"):
            print(f"  {entry.kind:<15} {json.dumps(entry.data.get('arguments') or entry.data.get('text'))}")


def edit(file: Path) -> None:
    """Four hundred, not forty."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'refunded 40 ', 'refunded 400 ') AS BLOB) "
            "WHERE kind = 'call.finished'"
        )
        connection.commit()


def cut_off(file: Path) -> None:
    """The last transaction never was, and nobody has counted it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM entry WHERE batch = (SELECT max(number) FROM batch)")
        connection.execute("DELETE FROM batch WHERE number = (SELECT max(number) FROM batch)")
        connection.commit()


def verify(file: Path, *options: str) -> None:
    """Print whether the command finds anything."""
    print(f"  exit code {choragus(['verify', str(file), *options])}")


def main() -> None:
    """Run, export, edit, verify."""
    with tempfile.TemporaryDirectory() as folder:
        file, heads, key = Path(folder, "runs.db"), Path(folder, "heads.json"), Path(folder, "audit.key")
        print("A run, by its entries:")
        anyio.run(run, file)

        key.write_bytes(b"keep me where nobody who writes to the file can read")
        with Path(folder, "before.db").open("wb") as copy:
            copy.write(file.read_bytes())
        export(file, heads, key)

        print("Somebody edits an entry:")
        edit(file)
        verify(file)

        print("Somebody cuts off the end of a copy:")
        cut_off(Path(folder, "before.db"))
        verify(Path(folder, "before.db"), "--heads", str(heads), "--key", str(key))


def export(file: Path, heads: Path, key: Path) -> None:
    """As `choragus heads FILE --streams --sign KEYFILE > HEADS`."""
    with heads.open("w", encoding="utf-8") as out, redirect_stdout(out):
        choragus(["heads", str(file), "--streams", "--sign", str(key)])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
