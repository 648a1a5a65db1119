"""A service with the page mounted beside its own routes, and a person who decides on it, played by a program.

The service owns the file, and says who is asking: here by a header, as a proxy sets it. The person opens what waits,
changes the amount in the form as the page has it, and approves. The page needs `pip install 'choragus[web]'`; the
service listens on a free port of this machine, and nothing needs a key.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Mapping
from decimal import Decimal
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import anyio
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from choragus.agents import Agent, ModelReply, Runtime, ScriptedModel, ToolCall, tool
from choragus.agents.web import runs_app


@tool(risk="irreversible")
def pay(invoice: str, amount: Decimal) -> str:
    """Pay one invoice."""
    print(f"the tool: paid {amount} for {invoice}")
    return f"paid {amount}"


wants = ModelReply("It is due today.", calls=(ToolCall("a", "pay", {"invoice": "A-17", "amount": "150.00"}),))
clerk = Agent("clerk", model=ScriptedModel([wants, "All is paid."]), tools=[pay])


def signed_in(scope: Mapping[str, object]) -> str | None:
    """Who asks: the header of a proxy that has checked it, and nobody without one."""
    headers = dict(scope["headers"])  # type: ignore[call-overload]  # pairs of bytes
    return headers.get(b"x-user", b"").decode() or None


def service(runtime: Runtime) -> Starlette:
    """The service's own routes, and the page below /runs."""
    page = Mount("/runs", runs_app(runtime, identify=signed_in))
    return Starlette(routes=[Route("/", lambda request: PlainTextResponse("the service itself")), page])


def person(place: str) -> None:
    """What a person does on the page, by the same requests that a browser sends."""
    shown = ask(f"{place}/runs/waiting")
    (title,) = re.findall(r"<h3[^>]*>([^<]*)", shown)
    (form,) = re.findall(r'<form method="post".*?</form>', shown, re.DOTALL)
    (action,) = re.findall(r'action="([^"]*)"', form)
    fields = {
        name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form)
    }
    fields |= {name: unescape(value) for name, value in re.findall(r'name="(argument[^"]*)"[^>]*>\n([^<]*)<', form)}
    print(f"the page: {title} {fields['argument.invoice']}, {fields['argument.amount']}")
    fields |= {"argument.amount": "120.00", "reason": "30.00 was credited", "decision": "approve"}
    (told,) = re.findall(r'class="told">([^<]*)', ask(f"{place}{action}", fields, place))
    print(f"the page: {told.partition(': ')[2]}")


def ask(address: str, form: Mapping[str, str] | None = None, origin: str = "") -> str:
    """One request of mia's browser."""
    body = None if form is None else urlencode(form).encode()
    headers = {"x-user": "mia", **({"origin": origin} if form is not None else {})}
    with urlopen(Request(address, body, headers), timeout=30) as answer:
        text: str = answer.read().decode()
    return text


async def main() -> None:
    """Serve, let the person decide, and look at what came of it."""
    with TemporaryDirectory() as folder:
        async with Runtime(Path(folder) / "runs.db", agents=[clerk]) as runtime:
            server = uvicorn.Server(uvicorn.Config(service(runtime), log_level="error", lifespan="off"))
            with socket.create_server(("127.0.0.1", 0)) as listening:
                place = f"http://127.0.0.1:{listening.getsockname()[1]}"
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lambda: server.serve(sockets=[listening]))
                    run = await runtime.start(clerk, "Pay what is due.")
                    while not await run.pending():  # noqa: ASYNC110  # a service would go on with its work
                        await anyio.sleep(0.01)
                    await to_thread.run_sync(person, place)
                    print(f"the run: {await run.result()}")
                    server.should_exit = True


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
