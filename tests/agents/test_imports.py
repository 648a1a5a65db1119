"""What is imported, and when: declaring agents waits for little, and a run for nothing."""

from __future__ import annotations

import subprocess
import sys

DECLARED = """
import sys
from choragus.agents import Agent, Runtime, tool
ours = [name for name in sys.modules if name.startswith("choragus.")]
heavy = ["cattrs", "aiosqlite", "choragus.mailbox.codec", "choragus.supervision.system", "choragus.agents.message"]
print(len(ours) < 70, [name for name in heavy if name in sys.modules])
"""

RUN = """
import asyncio, sys
from choragus.agents import Agent, Runtime, ScriptedModel

async def main():
    agent = Agent("clerk", model=ScriptedModel(["done"]))
    made = Runtime(agents=[agent])
    before = set(sys.modules)
    async with made as runtime:
        await (await runtime.start(agent, "Do it.")).result()
        await runtime.attention()
        await runtime.pending()
    print(sorted(name for name in set(sys.modules) - before if name.startswith("choragus.")))

asyncio.run(main())
"""

TRACED = """
import asyncio, sys
from choragus.agents import Agent, Runtime, ScriptedModel, Telemetry
from choragus.agents.telemetry import ConsoleExporter

async def main():
    agent = Agent("clerk", model=ScriptedModel(["done"]))
    made = Runtime(agents=[agent], telemetry=Telemetry(exporter=ConsoleExporter()))
    print([name for name in ("choragus.agents.tracing", "choragus.agents.tracer") if name in sys.modules])

asyncio.run(main())
"""

MADE = """
import gc, sys
from choragus.agents import Runtime
Runtime(agents=())
print(gc.isenabled(), "choragus.agents.tracing" in sys.modules)
gc.disable()
Runtime(agents=())
print(gc.isenabled())
"""


def printed(script: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_declaring_an_agent_imports_neither_the_codec_nor_a_system() -> None:
    assert printed(DECLARED) == "True []\n"


def test_a_run_imports_nothing_on_the_event_loop() -> None:
    """All of it was imported when the runtime was made."""
    assert printed(RUN) == "[]\n"


def test_telemetry_is_imported_when_a_runtime_with_it_is_made() -> None:
    assert printed(TRACED) == "['choragus.agents.tracing', 'choragus.agents.tracer']\n"


def test_making_a_runtime_leaves_the_garbage_collector_and_telemetry_alone() -> None:
    assert printed(MADE) == "True False\nFalse\n"
