"""A provider's own SDK, without the provider: an agent talks through it to a tiny server on this machine.

The server speaks the chat-completions format, whole or streamed. First it is overloaded, then its connection breaks in
the middle of a call, then it asks for the weather, and at last it answers. The SDK retries nothing; every failure comes
as one typed error, and the run goes on behind it. No tool is called from half a call.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from choragus.agents import Agent, OpenAIModel, Price, Runtime, tool

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bergen"}'}}
ASKS: dict[str, object] = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **CALL}]}
SAYS: dict[str, object] = {"role": "assistant", "content": "Take an umbrella."}
BUSY = b'{"error": {"type": "overloaded_error", "message": "Too many umbrellas."}}'

# What the server says, each time, and whether the connection breaks before it is said.
LINES: list[tuple[dict[str, object] | None, bool]] = [(None, False), (ASKS, True), (ASKS, False), (SAYS, False)]


def reply(message: dict[str, object], streamed: bool) -> bytes:
    """One reply of the provider, whole or as a stream of two events and a mark of its end."""
    usage = {"prompt_tokens": 90, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 64}}
    head = {"id": "chatcmpl-1", "model": "tiny-2026-11"}
    choice: dict[str, object] = {"index": 0, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
    if not streamed:
        return json.dumps({**head, "choices": [{**choice, "message": message}], "usage": usage}).encode()
    events = ({**head, "choices": [{**choice, "delta": message}]}, {**head, "choices": [], "usage": usage})
    return "".join(f"data: {text}\n\n" for text in (*map(json.dumps, events), "[DONE]")).encode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    asked = json.loads(await reader.readexactly(int(re.findall(r"content-length: (\d+)", head)[0])))
    message, breaks = LINES.pop(0)
    whole = BUSY if message is None else reply(message, asked["stream"])
    lines = f"content-length: {len(whole)}\r\nretry-after: 1\r\nconnection: close"
    status = "529 Overloaded" if message is None else "200 OK"
    writer.write(f"HTTP/1.1 {status}\r\n{lines}\r\n\r\n".encode() + (whole[:100] if breaks else whole))
    await writer.drain()
    writer.close()


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """The provider's base URL."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    server.close()
    await server.wait_closed()


@tool(risk="read")
def weather(city: str) -> str:
    """Today's weather in a city."""
    print(f"weather({city!r})")
    return "rain"


async def main() -> None:
    """One run."""
    price = Price(input_per_million=0.25, output_per_million=2.0, cached_per_million=0.025)
    async with provider() as url:
        model = OpenAIModel("tiny", base_url=url, price=price)
        helper = Agent("helper", model=model, prompt="Be brief.", tools=[weather])
        async with Runtime(agents=[helper]) as runtime:
            run = await runtime.start(helper, "Umbrella in Bergen?")
            async for event in run.events():
                if event.kind == "model.failed":
                    print(f"the model failed: {re.sub(r': the [^;]*;', ';', str(event.data['reason']))}")
            print(await run.result())
            status = await run.status()
            print(f"{status.input_tokens} tokens in, {status.output_tokens} out, {status.cost_usd:.7f} dollars")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except ImportError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
