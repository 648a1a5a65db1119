"""A service and its operator: one process owns the file and runs agents, the command line does the rest beside it.

Run it: python examples/operated_service.py

It plays both parts in a folder of its own. By hand, the service is `choragus serve --app operated_service:runtime`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from choragus.agents import Agent, ModelReply, Price, Runtime, ScriptedModel, ToolCall, tool

FILE = os.environ.get("OPERATED_FILE", "runs.db")
APP = "operated_service:runtime"


@tool(risk="irreversible")
async def pay(invoice: str, amount: int) -> str:
    """Pay one invoice."""
    return f"receipt for {invoice}: {amount}"


def runtime() -> Runtime:
    """What `--app` names: the agents, and the file that they live in."""
    script: list[ModelReply | str | Exception] = [
        ModelReply(calls=(ToolCall("a", "pay", {"invoice": "A-17", "amount": 120}),)),
        "A-17 is paid.",
    ]
    clerk = Agent(
        "clerk", model=ScriptedModel(script, price=Price(input_per_million=1.0, output_per_million=4.0)), tools=[pay]
    )
    return Runtime(FILE, agents=[clerk])


def main() -> None:
    """Serve, start a run, look, decide, and drain."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OPERATED_FILE"] = file = str(Path(folder) / "runs.db")
        with subprocess.Popen(
            _command("serve", "--app", APP), stdout=subprocess.PIPE, text=True, env=_here()
        ) as service:
            assert service.stdout is not None
            service.stdout.readline()  # it has the file now

            run = _shown("run", "--app", APP, "clerk", "Pay what is due.", "--key", "W47", "--detach").strip()
            while service.poll() is None and not (asked := _told("approvals", file, "--json")):
                pass  # the clerk is about to ask
            _shown("top", file)
            approval = json.loads(asked)["id"]
            _shown("raise", file, run, "--steps", "80", "--by", "mia")
            _shown("approve", file, approval, "--by", "mia", "--reason", "as agreed")
            _shown("show", file, run, "--follow", "--tail", "8")
            _shown("runs", file)
            _shown("drain", file, "--by", "mia", "--wait", "20")
            _shown("doctor", file)
            print(f"the service has ended with {service.wait()}")


def _shown(*argv: str) -> str:
    """Run a command, and print it with what it says."""
    folder = os.path.dirname(os.environ["OPERATED_FILE"])
    print(f"$ {shlex.join(['choragus', *argv])}".replace(f"{folder}/", ""))
    out = _told(*argv)
    print(out.replace(f"{folder}/", ""))
    return out


def _told(*argv: str) -> str:
    return subprocess.run(
        _command(*argv), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_here()
    ).stdout


def _command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "choragus", *argv]


def _here() -> dict[str, str]:
    """The environment, with this folder among those that Python looks in for the application."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
