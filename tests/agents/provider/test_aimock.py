"""The real SDKs against somebody else's model server, with its chaos switched on. Needs Node and `@copilotkit/aimock`.

npm install --prefix FOLDER @copilotkit/aimock
AIMOCK=FOLDER/node_modules/@copilotkit/aimock/dist/cli.js pytest -m slow tests/agents/provider/test_aimock.py
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import Failed, ModelError
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply
from choragus.agents.model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from choragus.agents.runtime import Runtime
from choragus.agents.toolbelt.options import Retry

from .shape import ASKED, FORMATS
from .test_provider_run import weather
from .wired import ended, model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOPS = 200
ANSWER = "Ja, take one."
FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "Umbrella", "hasToolResult": True}, "response": {"content": ANSWER}},
        {
            "match": {"userMessage": "Umbrella", "hasToolResult": False},
            "response": {"toolCalls": [{"name": "weather", "arguments": '{"city": "Bergen"}'}]},
        },
    ]
}
CHAOS = ("drop", "0.15", "malformed", "0.1", "disconnect", "0.1", "ratelimit", "0.1")


def command() -> list[str]:
    """How the server is started; skips where it is not there."""
    node, named, found = shutil.which("node"), os.environ.get("AIMOCK"), shutil.which("llmock")
    if node is None:
        pytest.skip("Node is not installed")
    if named:
        return [node, named]
    if found is None:
        pytest.skip("neither AIMOCK names aimock's dist/cli.js nor is llmock on the path")
    return [found]


@asynccontextmanager
async def aimock(folder: Path, *options: str) -> AsyncIterator[str]:
    """The server's URL."""
    (folder / "f.json").write_text(json.dumps(FIXTURES), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = ["-p", str(port), "-f", str(folder), "--log-level", "silent", *options]
    process = await asyncio.create_subprocess_exec(*command(), *given, stdout=-3, stderr=-3)
    try:
        with anyio.fail_after(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("format", FORMATS)
async def test_each_format_is_understood_by_another_server(format: str, tmp_path: Path) -> None:
    pytest.importorskip("anthropic" if format == "messages" else "openai")
    async with aimock(tmp_path) as url:
        used = model(format, url)

        for stream in (True, False):
            _, reply = await ended(used, stream=stream)

            assert isinstance(reply, ModelReply), reply
            assert [(call.name, call.arguments) for call in reply.calls] == [("weather", {"city": "Bergen"})]
        await used.release()


@pytest.mark.parametrize("format", FORMATS)
async def test_two_hundred_loops_in_chaos_end_right_or_with_a_reason(format: str, tmp_path: Path) -> None:
    pytest.importorskip("anthropic" if format == "messages" else "openai")
    called: list[str] = []
    ends: Counter[str] = Counter()
    chaos = [f"--chaos-{word}" if not word[0].isdigit() else word for word in CHAOS]
    async with aimock(tmp_path, *chaos) as url:
        hasty = ModelOptions(retries=Retry(times=3, first=0.01, most=0.05))
        used = model(format, url)
        clerk = Agent("clerk", model=used, tools=[weather(called)], limits=Limits(steps=5), model_options=hasty)
        generous = ProviderLimits(retries=RetryBudget(share=1.0, least=10_000))
        async with Runtime(agents=[clerk], providers={used.provider: generous}) as runtime:
            for number in range(LOOPS):
                run = await runtime.start(clerk, f"Umbrella in Bergen? ({number})")
                try:
                    ends[await run.result()] += 1
                except Failed as error:
                    ends["failed" if "the model failed" in str(error) else str(error)] += 1

    print(dict(ends), f"{len(called)} calls")
    assert ends[ANSWER] + ends["failed"] == LOOPS
    assert ends[ANSWER] <= len(called) <= LOOPS


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_every_single_call_in_chaos_is_a_reply_or_a_typed_error(
    format: str, stream: bool, tmp_path: Path
) -> None:
    pytest.importorskip("anthropic" if format == "messages" else "openai")
    kinds: Counter[str] = Counter()
    chaos = [f"--chaos-{word}" if not word[0].isdigit() else word for word in CHAOS]
    async with aimock(tmp_path, *chaos) as url:
        used = model(format, url)
        for _ in range(LOOPS):
            _, end = await ended(used, ASKED, stream=stream)
            kinds[f"{end.kind} {end.retryable} {end.retry_after}" if isinstance(end, ModelError) else "reply"] += 1
        await used.release()

    print(format, stream, dict(kinds))
    assert sum(kinds.values()) == LOOPS
    assert not [kind for kind in kinds if kind.startswith(" ")]
