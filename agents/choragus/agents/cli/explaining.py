"""`choragus explain`: what the model was given in a step of a run, and why."""

from __future__ import annotations

import attrs

from choragus.agents.context.explaining import ContextPiece, Explanation, explain

from .command import RUN, Commands, command
from .exit import Exit
from .session import Session
from .text import as_json, chunks, counted, page, short, visible


def declare(commands: Commands) -> None:
    """`explain`."""
    one = command(
        commands,
        "explain",
        show_context,
        "Each piece of a model call in its order, with its tokens and the reason why it was there: kept, pinned,\n"
        "shortened, summarised, retrieved with its score; and what of the conversation was left out. Texts\n"
        "are cut to a line; --json prints all of it.",
        "choragus explain runs.db 5f2c 17",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("step", metavar="STEP", type=int, nargs="?", help="by default the latest")
    one.add_argument("--json", action="store_true", help="all of it as JSON")


async def show_context(session: Session) -> Exit:
    """Print the pieces of a model call in their order, and what was left out."""
    summary = await session.run(session.asked.run)
    told = await explain(session.store, summary.run, session.asked.step)
    if session.asked.json:
        print(as_json(attrs.asdict(told)))
        return Exit.OK
    print("\n".join([*_head(told), "", *_pieces(told), *_left_out(told)]))
    return Exit.OK


def _head(told: Explanation) -> list[str]:
    of = f" of {told.budget_tokens}" if told.budget_tokens is not None else ", no budget"
    version = f" version {told.prompt_version}" if told.prompt_version else ""
    answered = f", answered as {told.answered}" if told.answered else ""
    head = [
        f"run      {told.run}, step {told.step}, agent {told.agent}",
        f"model    {told.provider}:{told.model}{answered}" if told.model else "model    has not answered",
        f"prompt   {told.prompt}{version}, {told.prompt_hash}",
        f"tools    {', '.join(told.tools) or 'none'}",
        f"tokens   {told.tokens}{of}, estimated by length",
        f"lines    {len([one for one in told.pieces if one.position])} shown of {told.messages}",
    ]
    return [piece for line in head for piece in chunks(visible(line), page())]


def _pieces(told: Explanation) -> list[str]:
    """Each piece in two lines: what it is, and why it is there; text and calls are cut to the second line."""
    lines = ["TOKENS  WHAT"]
    for one in told.pieces:
        calls = ", ".join(f"{call.name} {as_json(call.arguments)}" for call in one.calls)
        text = " ".join(filter(None, [visible(one.text), calls and f"(calls {calls})"]))
        lines += [_what(one), *([f"        {short(visible(text), page() - 8)}"] if text else [])]
    return lines


def _what(one: ContextPiece) -> str:
    line = f" line {one.position}" if one.position else ""
    role = f", {one.role} {one.tool}".rstrip() if one.role else ""
    source = f", from {one.source}" if one.source else ""
    return short(visible(f"{one.tokens:6}  {one.section}{line}{role}{source}: {one.why}"), page())


def _left_out(told: Explanation) -> list[str]:
    if not told.left_out:
        return []
    lines = ["", "LEFT OUT"]
    for one in told.left_out:
        what = f"line {one.first}" if one.first == one.last else f"lines {one.first} to {one.last}"
        lines.append(short(visible(f"  {what}: {one.why}"), page()))
    return [*lines, f"  {counted(sum(one.last - one.first + 1 for one in told.left_out), 'line')} in all"]
