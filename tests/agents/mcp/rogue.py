"""A server over standard input and output that misbehaves as its argument says; it needs nothing but Python.

Given a file behind that, it notes there what it was called with, a line for each call.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

MODE = sys.argv[1] if len(sys.argv) > 1 else ""
NOTES = Path(sys.argv[2]) if len(sys.argv) > 2 else None
SAY = {
    "name": "say",
    "description": "Say something.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
}
QUIET = {"readOnlyHint": True}


def send(message: object) -> None:
    """One line out."""
    line = json.dumps(message)
    if MODE.startswith("garbage-"):
        line = spoiled(line, random.Random(f"{MODE} {message}"))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def spoiled(line: str, chance: random.Random) -> str:
    """The line with something wrong in it, most of the time."""
    at, much = chance.randrange(len(line)), chance.randrange(1, 20)
    match chance.randrange(6):
        case 0:
            return line[:at] + line[at + much :]
        case 1:
            return line[:at] + "".join(chance.choices('{}[]",:0123456789e-.nulltrue\\', k=much)) + line[at:]
        case 2:
            return line[:at] + "\n" + line[at:]
        case 3:
            return "[" * 2_000 + line
        case 4:
            return line.replace('"id": ', f'"id": {chance.choice(["1.5", "null", "[]", "-"])}')
        case _:
            return line


def answer(id: object, result: object) -> None:
    """The answer to a request."""
    send({"jsonrpc": "2.0", "id": id, "result": result})


def flood(line: str, times: int = 1_000_000_000) -> None:
    """The same line, over and over."""
    for _ in range(times):
        sys.stdout.write(line + "\n")


def misbehave(id: object) -> None:
    """What it does instead of an answer to a call."""
    if MODE == "dies-in-call":
        sys.exit("no more")
    if MODE == "hangs-in-call":
        time.sleep(3600)
    if MODE == "floods":
        flood('{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}')
    if MODE == "nonsense":
        flood("this is no message")
    if MODE == "endless-line":
        for _ in range(100):
            sys.stdout.write("x" * 1_000_000)
        sys.stdout.flush()
        time.sleep(3600)
    if MODE == "deaf":
        flood('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    if MODE == "bad-ids":
        for wrong in (
            "1.5",
            "null",
            "true",
            '{"a":1}',
            "[]",
            "1e999",
            '"\\ud800"',
            str(10**30),
            '"' + "9" * 5000 + '"',
        ):
            flood(f'{{"jsonrpc":"2.0","id":{wrong},"result":{{"content":[]}}}}', 1)
        sys.stdout.flush()
        answer(id, {"content": [{"type": "text", "text": "survived"}]})


def called(request: dict[str, object]) -> None:
    """A call of the tool."""
    params = request["params"]
    assert isinstance(params, dict)
    if NOTES is not None:
        with NOTES.open("a", encoding="utf-8") as notes:
            notes.write(json.dumps(params) + "\n")
    if MODE == "dies-once" and NOTES is not None and len(NOTES.read_text(encoding="utf-8").splitlines()) == 1:
        sys.exit("this once")
    misbehave(request["id"])
    if MODE != "bad-ids":
        answer(request["id"], {"content": [{"type": "text", "text": params["arguments"]["text"]}]})


def main() -> None:
    """Serve, or not."""
    if NOTES is not None:
        NOTES.with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    if MODE == "dies":
        sys.exit("I do not want to")
    if MODE == "hangs":
        time.sleep(3600)
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        match request["method"]:
            case "initialize":
                told = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}}}
                answer(request["id"], {**told, "serverInfo": {"name": "rogue", "version": "1"}})
            case "tools/list" if MODE == "endless-list":
                answer(request["id"], {"tools": [{**SAY, "description": "x" * 10_000}] * 100, "nextCursor": "more"})
            case "tools/list":
                tool = {**SAY, "annotations": QUIET} if MODE.startswith("read-") else SAY
                answer(request["id"], {"tools": [tool]})
            case "tools/call":
                called(request)
            case _ if "id" in request:
                send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "unknown"}})
    if MODE == "stubborn":
        time.sleep(3600)


if __name__ == "__main__":
    main()
