"""A provider's own SDK, without the provider: an agent talks through it to a tiny server on this machine.

The server speaks the chat-completions format. First it is overloaded and says for how long, then its connection breaks
in the middle of a call, then it asks for the weather, and at last it answers. The SDK retries nothing; every failure
comes as one typed error, and the run goes on behind it. No tool is called from half a call.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from choragus.agents import Agent, ModelError, ModelReply, ModelRequest, OpenAIModel, Price, Runtime, tool

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bergen"}'}}
ASKS: dict[str, object] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
SAYS: dict[str, object] = {"role": "assistant", "content": "Take an umbrella."}


def body(message: dict[str, object], reason: str) -> bytes:
    """One reply of the provider."""
    usage = {"prompt_tokens": 90, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 64}}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return json.dumps({"id": "chatcmpl-1", "model": "tiny-2026-11", "choices": [choice], "usage": usage}).encode()


BUSY = b'{"error": {"type": "overloaded_error", "message": "Too many umbrellas."}}'
CALLED, SAID = body(ASKS, "tool_calls"), body(SAYS, "stop")

# What the server sends, each time: status, body, and how much of the body before the connection breaks.
ANSWERS = [(529, BUSY, len(BUSY)), (200, CALLED, 150), (200, CALLED, len(CALLED)), (200, SAID, len(SAID))]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    status, whole, sent = ANSWERS.pop(0)
    lines = f"content-type: application/json\r\ncontent-length: {len(whole)}\r\nretry-after: 1\r\nconnection: close"
    writer.write(f"HTTP/1.1 {status} So\r\n{lines}\r\n\r\n".encode() + whole[:sent])
    await writer.drain()
    writer.close()


@asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """The provider's base URL."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    server.close()
    await server.wait_closed()


class Told(OpenAIModel):
    """The model as it is, which tells here what goes wrong on the wire."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        try:
            return await super().complete(request)
        except ModelError as error:
            again = "may be tried again" if error.retryable else "is not tried again"
            after = "" if error.retry_after is None else f", after {error.retry_after:g} s"
            print(f"{error.kind}: {again}{after}")
            raise


@tool(risk="read")
def weather(city: str) -> str:
    """Today's weather in a city."""
    print(f"weather({city!r})")
    return "rain"


async def main() -> None:
    """One run."""
    price = Price(input_per_million=0.25, output_per_million=2.0, cached_per_million=0.025)
    async with provider() as url:
        model = Told("tiny", base_url=url, price=price)
        helper = Agent("helper", model=model, prompt="Be brief.", tools=[weather])
        async with Runtime(agents=[helper]) as runtime:
            run = await runtime.start(helper, "Umbrella in Bergen?")
            print(await run.result())
            status = await run.status()
            print(f"{status.input_tokens} tokens in, {status.output_tokens} out, {status.cost_usd:.7f} dollars")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except ImportError as error:
        sys.exit(str(error))
