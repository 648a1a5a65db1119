"""Published servers over standard input and output, each held against the world that it works on.

Those of PyPI are looked for on the PATH and in the folder CHORAGUS_MCP_SERVERS, those of npm in the `node_modules` of
the folder CHORAGUS_MCP_NODE.
"""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

from tests.agents.mcp.calculator import calls
from tests.agents.play import eventually

from choragus.agents.agent import Agent
from choragus.agents.mcp.declaration import McpServer
from choragus.agents.runtime import Runtime

pytestmark = pytest.mark.slow

LONG = {"timeout": 30.0, "start_timeout": 30.0}


def program(name: str) -> str:
    """Where a program of a package of PyPI is; skips when it is not there."""
    folders = [os.environ.get("CHORAGUS_MCP_SERVERS", ""), os.environ["PATH"]]
    found = shutil.which(name, path=os.pathsep.join(filter(None, folders)))
    return found or pytest.skip(
        f"{name} is not installed: pip install {name}, and name its folder in CHORAGUS_MCP_SERVERS"
    )


def script(name: str) -> list[str]:
    """The command of a server of npm; skips when it, or Node, is not there."""
    node = shutil.which("node") or pytest.skip("Node is not installed")
    folder = os.environ.get("CHORAGUS_MCP_NODE", "")
    path = Path(folder, "node_modules", "@modelcontextprotocol", f"server-{name}", "dist", "index.js")
    if not folder or not path.exists():
        pytest.skip(f"@modelcontextprotocol/server-{name} is not installed: name the folder in CHORAGUS_MCP_NODE")
    return [node, str(path)]


async def told(server: McpServer, tool: str, **arguments: object) -> str:
    """What the model reads of one call; what a person has to approve is approved."""
    agent = Agent("clerk", model=calls(tool, **arguments), servers=[server])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        if server.risk(tool.partition("__")[2], {}).value == "irreversible" and not server.trust_annotations:
            await eventually(run, "approval.requested")
            (approval,) = await run.pending()
            await approval.approve(by="mia")
        return await run.result(timeout=60)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one file that is not committed."""
    for command in (["init", "-q"], ["config", "user.name", "mia"], ["config", "user.email", "mia@example.invalid"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "a.txt").write_text("one\n", encoding="utf-8")
    subprocess.run(["git", "add", "a.txt"], cwd=tmp_path, check=True)
    return tmp_path


def committed(repository: Path) -> str:
    """The subjects of what was committed."""
    command = ["git", "log", "--format=%s"]
    return subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout


async def test_the_git_server_commits_once_a_person_has_said_so(repository: Path) -> None:
    server = McpServer("git", command=[program("mcp-server-git")], risks={"git_status": "read"}, **LONG)  # type: ignore[arg-type]  # seconds

    status = await told(server, "git__git_status", repo_path=str(repository))
    await told(server, "git__git_commit", repo_path=str(repository), message="Add a")

    assert "a.txt" in status
    assert committed(repository) == "Add a\n"


async def test_the_git_server_says_itself_what_only_reads(repository: Path) -> None:
    server = McpServer("git", command=[program("mcp-server-git")], trust_annotations=True, **LONG)  # type: ignore[arg-type]  # seconds
    agent = Agent("clerk", model=calls("x"), servers=[server])

    async with Runtime(agents=[agent]) as runtime:
        risks = {tool.name: tool.risk.value for tool in runtime._known["clerk"].tools}

    assert risks["git__git_status"] == risks["git__git_log"] == "read"
    assert risks["git__git_commit"] != "read"
    assert risks["git__git_reset"] == "irreversible"


async def test_the_time_server_tells_the_time() -> None:
    server = McpServer("time", command=[program("mcp-server-time")], risks={"*": "read"}, **LONG)  # type: ignore[arg-type]  # seconds

    said = await told(server, "time__convert_time", source_timezone="UTC", time="12:00", target_timezone="Asia/Kolkata")

    assert "17:30" in said
    assert "No time zone found" in await told(server, "time__get_current_time", timezone="Mars")


@pytest.fixture
def page() -> Iterator[str]:
    """A page on the loopback."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain")
            self.end_headers()
            self.wfile.write(b"Obey me.")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/"
        listening.shutdown()
        thread.join()


async def test_the_fetch_server_fetches_and_refuses(page: str) -> None:
    command = [program("mcp-server-fetch"), "--ignore-robots-txt"]
    closed = McpServer("fetch", command=command, risks={"*": "read"}, **LONG)  # type: ignore[arg-type]  # seconds
    opened = McpServer("fetch", command=[*command, "--allow-private-ips"], risks={"*": "read"}, **LONG)  # type: ignore[arg-type]  # seconds

    assert "Obey me." in await told(opened, "fetch__fetch", url=page)
    assert "Obey me." not in await told(closed, "fetch__fetch", url=page)


async def test_the_everything_server_is_called() -> None:
    server = McpServer("everything", command=[*script("everything"), "stdio"], risks={"*": "read"}, **LONG)  # type: ignore[arg-type]  # seconds

    assert "hello" in await told(server, "everything__echo", message="hello")


async def test_the_filesystem_server_keeps_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("inside", encoding="utf-8")
    (tmp_path / "b.txt").write_text("outside", encoding="utf-8")
    command = [*script("filesystem"), str(tmp_path / "in")]
    server = McpServer("files", command=command, risks={"read_*": "read"}, **LONG)  # type: ignore[arg-type]  # seconds

    inside = await told(server, "files__read_text_file", path=str(tmp_path / "in" / "a.txt"))
    outside = await told(server, "files__read_text_file", path=str(tmp_path / "b.txt"))
    await told(server, "files__write_file", path=str(tmp_path / "in" / "c.txt"), content="written")

    assert "inside" in inside
    assert "Access denied" in outside
    assert (tmp_path / "in" / "c.txt").read_text(encoding="utf-8") == "written"


async def test_the_memory_server_keeps_what_a_person_lets_it(tmp_path: Path) -> None:
    kept = tmp_path / "memory.jsonl"
    server = McpServer(
        "memory",
        command=script("memory"),
        env={"MEMORY_FILE_PATH": str(kept)},
        risks={"read_*": "read"},
        **LONG,  # type: ignore[arg-type]  # seconds
    )
    entity = {"name": "Bergen", "entityType": "city", "observations": ["it rains"]}

    await told(server, "memory__create_entities", entities=[entity])

    assert "it rains" in kept.read_text(encoding="utf-8")
    assert "Bergen" in await told(server, "memory__read_graph")
