"""`choragus diff`, and what `runs` and `show` say of a run that is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
import attrs
import pytest

from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.errors import Cancelled
from choragus.agents.limits import Limits
from choragus.agents.manifest import manifest
from choragus.agents.prompt import Prompt
from choragus.agents.runtime import Runtime
from choragus.agents.version import provenance as provenances
from choragus.agents.version.migration import Migration
from choragus.agents.version.provenance import Provenance, code_of
from choragus.agents.version.record import REFUSED
from choragus.agents.version.revision import Revision

from .cli_clerk import RUN, clerk, command
from .play import kinds, scripted, soon, until

Printed = pytest.CaptureFixture[str]

OLD = scripted("done", name="scribe")
NEW = attrs.evolve(OLD, prompt=Prompt("Be brief.\nBe \x1b[2Jkind.", "scribe.md", "4"), limits=Limits(steps=9))


async def two_runs(file: str) -> tuple[str, str]:
    """One of each version, both ended."""
    ids = []
    for agent in (OLD, NEW):
        async with Runtime(file, agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.")
            await run.result()
            ids.append(run.id)
    return ids[0], ids[1]


async def refused(file: str) -> None:
    """The clerk's run is refused, and nobody owns the file."""
    changed = attrs.evolve(clerk(), prompt=Prompt("Be brief."))
    async with Runtime(file, agents=[changed]) as runtime:
        await soon(lambda: runtime.store.views(REFUSED))


async def test_two_runs_are_compared_field_by_field(file: str, capsys: Printed) -> None:
    one, two = await two_runs(file)

    code = main(["diff", file, one, two])

    was, now = manifest(OLD).hash[:12], manifest(NEW).hash[:12]
    assert code == Exit.OK
    assert capsys.readouterr().out.splitlines() == [
        f"- run {one} of agent scribe",
        f"+ run {two} of agent scribe",
        f"identity: {was} -> {now}",
        "  prompt: changed",
        "    @@ -0,0 +1,2 @@",
        "    +Be brief.",
        "    +Be \\u001b[2Jkind.",
        "  limits.steps: 50 -> 9",
        "provenance (recorded only, it holds nothing up):",
        '  prompt: added ({"name": "scribe.md", "version": "4"})',
    ]


async def test_as_json(file: str, capsys: Printed) -> None:
    one, two = await two_runs(file)

    main(["diff", file, one, two, "--json"])

    said = json.loads(capsys.readouterr().out)
    assert (said["same"], said["was"]["hash"]) == (False, manifest(OLD).hash)
    assert [each["field"] for each in said["identity"]] == ["prompt", "limits.steps"]
    assert said["identity"][1] == {"field": "limits.steps", "what": "changed", "was": 50, "now": 9, "lines": []}


async def test_a_run_and_itself_are_the_same(file: str, capsys: Printed) -> None:
    one, _ = await two_runs(file)

    assert main(["diff", file, one, one]) == Exit.OK
    out = capsys.readouterr().out
    assert f"identity: {manifest(OLD).hash[:12]}, the same\nprovenance: the same\n" in out


async def test_where_the_code_came_from_is_compared_and_marked(
    file: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = []
    for version in ("1.0", "2.0"):
        code = (Revision(version[0] * 40, dirty=version == "2.0"),)
        made = Provenance(
            choragus="1.0", python="3.11.7", implementation="CPython", packages={"bank": version}, code=code
        )
        monkeypatch.setitem(provenances._KNOWN, code_of(OLD), made)
        async with Runtime(file, agents=[OLD]) as runtime:
            run = await runtime.start(OLD, "Go.")
            await run.result()
            ids.append(run.id)

    main(["diff", file, *ids])

    out = capsys.readouterr().out
    assert out.endswith(
        ", the same\nprovenance (recorded only, it holds nothing up):\n"
        "  code: 111111111111 -> 222222222222 with changes\n"
        "  packages.bank: 1.0 -> 2.0\n"
    )


async def test_of_a_run_that_went_on_on_other_code_the_latest_counts(
    waiting: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Provenance(choragus="9.9", python="3.99.0", implementation="Other")
    monkeypatch.setitem(provenances._KNOWN, code_of(clerk()), later)
    agent = clerk()
    async with Runtime(waiting, agents=[agent]) as runtime:
        run = await runtime.run(RUN)
        await (await run.pending())[0].approve(by="mia")
        await run.result(timeout=5)
        other = await runtime.start(agent, "Go.")

    main(["diff", waiting, RUN, other.id])

    assert capsys.readouterr().out.endswith(", the same\nprovenance: the same\n")


async def test_a_refused_run_is_compared_with_what_it_was_refused_for(waiting: str, capsys: Printed) -> None:
    await refused(waiting)

    assert main(["diff", waiting, RUN[:4]]) == Exit.OK
    out = capsys.readouterr().out
    assert "+ the agent as it was when the file was last opened of agent clerk\n" in out
    assert "  prompt: changed\n" in out
    assert "    +Be brief.\n" in out


async def test_a_run_that_is_not_refused_needs_something_to_be_compared_with(waiting: str, capsys: Printed) -> None:
    assert main(["diff", waiting, RUN]) == Exit.USAGE
    assert "is not refused, so there is no other version" in capsys.readouterr().err
    assert main(["diff", waiting, RUN, RUN, "--app", "a:b"]) == Exit.USAGE
    assert "leave one of them out" in capsys.readouterr().err


APP = """
from choragus.agents import Agent, Limits, Runtime, ScriptedModel
from tests.agents.cli_clerk import clerk
import attrs

runtime = Runtime("never-opened.db", agents=[attrs.evolve(clerk(), limits=Limits(steps=7))])

def make():
    return runtime

nothing = 3
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an application `myservice`."""
    (tmp_path / "myservice.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


async def test_a_run_is_compared_with_the_application_as_it_is(waiting: str, capsys: Printed, app: Path) -> None:
    for name in ("runtime", "make"):
        assert main(["diff", waiting, RUN, "--app", f"myservice:{name}"]) == Exit.OK
        out = capsys.readouterr().out
        assert f"+ myservice:{name}, as it is now, of agent clerk\n" in out
        assert "  limits.steps: 50 -> 7\n" in out
    assert not (app / "never-opened.db").exists()


@pytest.mark.usefixtures("app")
async def test_an_application_that_is_none_is_named(waiting: str, capsys: Printed) -> None:
    for place, said in (
        ("myservice", "write MODULE:NAME"),
        ("no_such_module:runtime", "cannot be had: No module named 'no_such_module'"),
        ("myservice:none", "cannot be had"),
        ("myservice:nothing", "is 3: name a Runtime"),
    ):
        assert main(["diff", waiting, RUN, "--app", place]) == Exit.USAGE
        assert said in capsys.readouterr().err


async def test_runs_and_show_say_that_a_run_is_refused_and_how_to_see_why(waiting: str, capsys: Printed) -> None:
    await refused(waiting)

    await command("runs", waiting)
    listed = capsys.readouterr().out
    await command("show", waiting, RUN)
    shown = capsys.readouterr().out

    assert "  | refused: identity changed (prompt)\n" in listed
    assert f"1 run refused: choragus diff {waiting} {RUN}\n" in listed
    for way in (f"choragus diff {waiting} {RUN}", f"choragus cancel {waiting} {RUN}"):
        assert f"{way}\n" in shown
    assert shown.endswith(f"choragus fork {waiting} {RUN} --changed\n")
    assert "agent 'clerk' has changed since it began" in shown


async def test_a_run_that_is_not_refused_is_shown_as_ever(waiting: str, capsys: Printed) -> None:
    await command("runs", waiting)
    await command("show", waiting, RUN)

    assert "refused:" not in capsys.readouterr().out


@pytest.mark.usefixtures("hurry")
async def test_a_refused_run_is_ended_from_the_command_line(waiting: str, capsys: Printed) -> None:
    await refused(waiting)

    await command("cancel", waiting, RUN, "--by", "mia", "--reason", "wrong week")

    assert "it takes effect when" in capsys.readouterr().out
    async with Runtime(waiting, agents=[attrs.evolve(clerk(), prompt=Prompt("Be brief."))]) as runtime:
        with pytest.raises(Cancelled, match="wrong week"):
            await (await runtime.run(RUN)).result(timeout=5)


@pytest.mark.usefixtures("hurry")
async def test_a_refused_run_is_forked_onto_the_agent_it_was_refused_for(waiting: str, capsys: Printed) -> None:
    await refused(waiting)

    await command("fork", waiting, RUN, "--changed", "--key", "again", "--by", "mia")
    await command("fork", waiting, RUN, "--key", "plain", "--by", "mia")

    async with Runtime(waiting, agents=[attrs.evolve(clerk(), prompt=Prompt("Be brief."))]) as runtime:

        async def begun() -> bool:
            return len(await runtime.runs()) == 2

        await soon(begun)
        (fork,) = [one for one in await runtime.runs() if one.run != RUN]
        assert fork.key == "again"
        await until(await runtime.run(fork.run), "approval.requested")
        assert len(runtime.refused()) == 2, "the run, and the fork that is bound to what the agent was"


async def test_a_run_that_is_not_refused_is_not_forked_onto_another(waiting: str, capsys: Printed) -> None:
    assert await command("fork", waiting, RUN, "--changed", "--by", "mia") == Exit.USAGE
    assert "is not refused for another version of its agent" in capsys.readouterr().err


LIGHT = """
import sys
from choragus.agents.cli import main
main(["diff", *sys.argv[1:]])
names = {"attrs", "msgspec", "anyio", "cattrs", "choragus.agents.runtime", "opentelemetry", "_hashlib", "shutil"}
heavy = names & sys.modules.keys()
print("heavy:", sorted(heavy))
"""


async def test_it_imports_neither_the_runtime_nor_what_that_needs(file: str) -> None:
    one, two = await two_runs(file)

    done = await anyio.run_process([sys.executable, "-c", LIGHT, file, one, two])

    assert done.stdout.endswith(b"heavy: []\n")
    assert b"limits.steps: 50 -> 9" in done.stdout


async def test_a_run_that_was_ended_by_a_patched_agent_tells_so(waiting: str, capsys: Printed) -> None:
    """A migrated run shows who said so, and that it went on on another version."""
    old, new = clerk(), attrs.evolve(clerk(), prompt=Prompt("Be brief."))
    patch = Migration(agent="clerk", from_=manifest(old).hash, to=manifest(new).hash, by="mia", why="the tone")
    async with Runtime(waiting, agents=[new], migrations=[patch]) as runtime:
        run = await runtime.run(RUN)
        await until(run, "run.migrated")
        assert "run.continued" in await kinds(run)

    await command("show", waiting, RUN)

    out = capsys.readouterr().out
    assert f"{manifest(old).hash[:12]} -> {manifest(new).hash[:12]}, by mia: the tone" in out
    assert "on another version of its agent: see `choragus diff`" in out


async def test_a_run_that_is_refused_for_its_agent_is_missing_is_not_called_anything_else(
    waiting: str, capsys: Printed
) -> None:
    async with Runtime(waiting, agents=[OLD]) as runtime:
        await soon(lambda: runtime.store.views(REFUSED))

    assert main(["diff", waiting, RUN]) == Exit.USAGE
    assert "is refused for its agent is missing, so there is no other version" in capsys.readouterr().err
