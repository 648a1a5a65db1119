"""`choragus ui`: where it listens, whom it lets in, and what it refuses."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from importlib import import_module
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra is missing: pip install 'choragus[web]'")
pytest.importorskip("httpx2", reason="the client of these tests")
pytest.importorskip("uvicorn", reason="the extra is missing: pip install 'choragus[web]'")

from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit

from .asking import asking


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What would have been served."""
    asked: list[dict[str, object]] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: asked.append(options))
    monkeypatch.setattr(import_module("choragus.agents.web.serving"), "check_free", lambda host, port: None)
    return asked


def test_it_listens_on_loopback_and_prints_an_address_with_a_token_of_its_own(
    done: Path, served: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [main(["ui", str(done)]) for _ in range(2)] == [Exit.OK] * 2

    first, _, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{done} is shown at http://127.0.0.1:8765/?token=")
    assert first != second
    assert len(first.partition("token=")[2]) == 32
    assert (served[0]["host"], served[0]["port"], served[0]["access_log"]) == ("127.0.0.1", 8765, False)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "0.0.0.0"], "host '0.0.0.0' can be reached from other machines, and the page shows everything"),
        (["--host", "::"], "host '::' can be reached from other machines"),
        (["--host", "10.0.0.1", "--read-only"], "give --token, of 16 characters or more, or serve on 127.0.0.1"),
        (["--token", "short"], "the token has 5 characters and needs 16"),
        (["--port", "0"], "--port 0 is none: give one of 1 to 65535"),
    ],
)
def test_what_would_let_anybody_in_is_refused(
    done: Path, served: list[dict[str, object]], capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert main(["ui", str(done), *options]) == Exit.USAGE

    printed = capsys.readouterr()
    assert told in printed.err
    assert "is shown at" not in printed.out
    assert served == []


def test_a_port_that_is_taken_is_refused_before_an_address_is_printed(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["ui", str(done), "--port", str(port)]) == Exit.USAGE

    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"nothing can be served at 127.0.0.1 port {port}: Address already in use; give another --port" in printed.err


def test_a_token_of_ones_own_serves_other_hosts_and_comes_from_the_environment_too(
    done: Path,
    served: list[dict[str, object]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["ui", str(done), "--host", "0.0.0.0", "--token", "t" * 16]) == Exit.OK
    monkeypatch.setenv("CHORAGUS_UI_TOKEN", "e" * 16)
    assert main(["ui", str(done)]) == Exit.OK

    printed = capsys.readouterr().out
    assert f"http://0.0.0.0:8765/?token={'t' * 16}\n" in printed
    assert f"?token={'e' * 16}\n" in printed


async def test_the_name_of_a_proxy_is_answered_to_where_it_was_given(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: made.append(app))
    monkeypatch.setattr(import_module("choragus.agents.web.serving"), "check_free", lambda host, port: None)
    assert main(["ui", str(done), "--token", "t" * 16, "--name", "Runs.example"]) == Exit.OK

    async with asking(made[0], token="t" * 16) as page:
        answers = [await page.get("/", host=host) for host in ("runs.example", "127.0.0.1:8765", "evil.example")]

    assert [one.status_code for one in answers] == [200, 200, 403]


def test_a_missing_file_is_told_before_anything_is_served(tmp_path: Path, served: list[dict[str, object]]) -> None:
    assert main(["ui", str(tmp_path / "gone.db")]) == Exit.FILE
    assert served == []


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_extra_is_an_error_that_names_the_command(
    done: Path, missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.startswith("choragus.agents.web")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [one for one in sys.modules if one.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ImportError) as caught:
        import_module("choragus.agents.web.serving")
    code = main(["ui", str(done)])

    told = f"the page needs {missing}: pip install 'choragus[web]'"
    assert str(caught.value) == told
    assert (code, capsys.readouterr().err) == (Exit.USAGE, f"choragus: {told}\n")


def test_declaring_the_command_imports_no_server() -> None:
    code = (
        "import sys; from choragus.agents.cli.parser import parser; parser(['ui']); import choragus.agents\n"
        "print({'starlette', 'uvicorn', 'attrs', 'anyio'} & set(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.slow
def test_it_serves_until_it_is_ended(done: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, "-c", "import sys; from choragus.agents.cli import main; sys.exit(main())"]
    environment = {**os.environ, "CHORAGUS_UI_TOKEN": "a token for a test"}
    with subprocess.Popen(
        [*argv, "ui", str(done), "--port", str(port)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        address = f"http://127.0.0.1:{port}/"
        status = 0
        while not status:
            with contextlib.suppress(ConnectionRefusedError, urllib.error.URLError):
                try:
                    status = urllib.request.urlopen(address, timeout=5).status
                except urllib.error.HTTPError as error:
                    status = error.code
                    error.close()
        asked = urllib.request.Request(address, headers={"authorization": "Bearer a token for a test"})
        with urllib.request.urlopen(asked, timeout=5) as answer:
            page = answer.read().decode()
        process.send_signal(signal.SIGINT)
        code = process.wait(10)

    assert (status, code) == (403, Exit.OK)
    assert "Pay what is due, and do not forget the rent." in page


def test_serving_beyond_this_machine_without_a_token_is_refused_by_the_server_too(done: Path) -> None:
    serving = import_module("choragus.agents.web.serving")

    with pytest.raises(ValueError, match=r"^host '0\.0\.0\.0' can be reached from other machines"):
        serving.serve(str(done), host="0.0.0.0", port=8765, token="", read_only=True)
