"""An agent audits a Python environment: metadata, requirements, licences, and every file against its RECORD.

    python examples/audit_environment.py [--path SITE_PACKAGES] [--out FOLDER] [--yes] [--pace SECONDS] [--trace]

It writes a Markdown report and files it in an archive, which cannot be undone and therefore waits for a person: at the
prompt, by --yes, or by `choragus approve` in another terminal. Kill it at any moment and run the same line again: it
goes on where it was. Everything is in audit.db, the report and the archive beside it. No key and no network: the model
is a function that sees only what a real one would be sent.

Exit codes: 0 completed (whatever was found), 1 ended without a result, 2 wrong usage, 3 waiting for an approval,
4 waiting for a person to say what became of an interrupted filing, 130 stopped by Ctrl-C, 141 nobody reads the output.
"""

from __future__ import annotations

import argparse
import os
import sys
import sysconfig
from pathlib import Path

try:
    import anyio

    from choragus.agents import Agent, FunctionModel, Limits, ModelReply, ModelRequest, Price, Prompt, Runtime
    from choragus.agents.telemetry import ConsoleExporter
    from choragus.mailbox.errors import ChoragusError
    from choragus.supervision.errors import SystemFailed
    from environment_audit.analyst import decide
    from environment_audit.console import Console
    from environment_audit.terminal import plain, say
    from environment_audit.toolbox import toolbox
except ModuleNotFoundError as error:
    sys.exit(f"audit: {error.name} is missing: {sys.executable} -m pip install -e '.[examples]' in the repository")

PROMPT = """You audit the Python environment in {root}.
List its distributions, check each one's requirements, licence and files, look closer where a result gives cause,
write the report, and file it. Report what the tools say and nothing else."""


def auditor(root: Path, out: Path, pace: float = 0.0) -> Agent:
    """The agent: a model that thinks for `pace` seconds, a prompt, tools bound to the two folders, and its ceilings."""

    async def think(request: ModelRequest) -> ModelReply:
        await anyio.sleep(pace)
        return decide(request)

    model = FunctionModel(
        think,
        name="offline-analyst",
        price=Price(input_per_million=0.25, output_per_million=2.0),
        max_output_tokens=50_000,
    )
    return Agent(
        "auditor",
        model=model,
        prompt=Prompt(PROMPT.format(root=root), name="auditor"),
        tools=toolbox(root, out),
        limits=Limits(steps=5_000, tokens=None, tool_calls=None, cost_usd=25.0, active_seconds=3_600.0),
    )


async def audit(root: Path, out: Path, *, yes: bool, trace: bool, pace: float) -> int:
    """Run the audit, or go on with it; gives back the exit code."""
    agent = auditor(root, out, pace)
    exporter = ConsoleExporter() if trace else None
    async with Runtime(out / "audit.db", agents=[agent], exporter=exporter, signals=True) as runtime:
        before = await runtime.runs()
        known = {summary.key: summary for summary in before}.get(str(root))
        run = await runtime.start(agent, f"Audit {root} and file the report.", key=str(root))
        paths = {summary.run: plain(summary.key) for summary in before}
        for other in runtime.held:
            path = paths.get(other.run, "and the folder that it was started with")
            say(f"run {other.run} is unfinished and stays so: go on with it by --path {path}")
        console = Console(runtime, run, out, yes=yes)
        if known is not None and known.status.is_final:
            return await console.already(known)
        return await console.follow(known)


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, help="the site-packages folder to audit (default: this Python's own)")
    parser.add_argument(
        "--out", type=Path, default=Path(), help="where database, report and archive go (default: here)"
    )
    parser.add_argument("--yes", action="store_true", help="approve the filing beforehand")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds that the model thinks each time (default: 0)")
    parser.add_argument("--trace", action="store_true", help="print the run's OpenTelemetry spans")
    options = parser.parse_args()
    root = (options.path or Path(sysconfig.get_path("purelib"))).resolve()
    if not 0 <= options.pace <= 3600:
        return failed(f"--pace {options.pace:g} is no time to think: give 0 to 3600 seconds", 2)
    if not root.is_dir():
        return failed(f"--path {root} is no folder: give the site-packages folder of a Python environment", 2)
    if not any(entry.suffix in (".dist-info", ".egg-info") for entry in root.iterdir()):
        return failed(f"--path {root} holds no installed distributions: is it a site-packages folder?", 2)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return failed(f"--out {options.out} cannot be a folder ({error.strerror}): name another", 2)
    try:
        return anyio.run(lambda: audit(root, options.out, yes=options.yes, trace=options.trace, pace=options.pace))
    except ChoragusError as error:
        return failed(str(error), 1)
    except SystemFailed as error:
        return failed("; ".join([str(error), *map(str, error.exceptions)]), 1)
    except BrokenPipeError:  # whoever read the output went away: let the interpreter's last flush go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print(file=sys.stderr)  # behind the terminal's ^C
        return failed("stopped; run the same command again to go on", 130)


def failed(why: str, code: int) -> int:
    """Say on one line why it ended, and give back the exit code."""
    print(f"audit: {plain(why)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
