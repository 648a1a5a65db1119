"""What a model call was given, piece by piece, and why: from the same records, by the same function, as the call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import attrs
import msgspec
from attrs import field, frozen

from choragus.agents.errors import AgentError
from choragus.agents.fork import whole_conversation
from choragus.agents.limits import LAST
from choragus.agents.model import CHARACTERS_PER_TOKEN, ChatMessage, ToolCall
from choragus.agents.prompt import INLINE, Prompt
from choragus.agents.state import Phase
from choragus.agents.stream import run_stream
from choragus.agents.version.reading import content_of, identity_of
from choragus.mailbox.store import Store

from .assembly import Piece, assemble
from .decision import Decision, Dropped, Framed, Summarised
from .option import SECTIONS
from .reading import Contexts
from .working import Working

PAGE = 500
LAST_CALL = "last"
"""The section of the sentence by which a run is told that it answers for the last time."""


@frozen(kw_only=True)
class ContextPiece:
    """One piece of what a model was given: text of the instructions, or, with a `role`, a line.

    `calls` are those that stand in the line, `tool` is whose result it is. `position` is where its line stands in the
    conversation, 0 for what is no line of it. `source` and `score` are of what was retrieved. `tokens` are estimated by
    length.
    """

    section: str
    text: str
    why: str
    tokens: int
    role: str = ""
    position: int = 0
    source: str = ""
    score: float | None = None
    calls: tuple[ToolCall, ...] = ()
    tool: str = ""


@frozen(kw_only=True)
class LeftOut:
    """Lines of the conversation, from and to, that the model was not given, and why."""

    first: int
    last: int
    why: str


@frozen(kw_only=True)
class Explanation:
    """What the model was given for one step of a run: its pieces in their order, and what was left out.

    `model` is what was called, `answered` the id by which the provider says what has answered; both are empty as long
    as nothing has. `tokens` is the estimate by which the context was held against `budget_tokens`; None: there was no
    budget, and the whole conversation was sent.
    """

    run: str
    step: int
    agent: str
    prompt: str
    prompt_version: str
    prompt_hash: str
    tools: tuple[str, ...]
    messages: int
    decisions: int
    tokens: int
    budget_tokens: int | None
    order: tuple[str, ...]
    pieces: tuple[ContextPiece, ...]
    left_out: tuple[LeftOut, ...]
    model: str = ""
    provider: str = ""
    answered: str = ""

    @property
    def instructions(self) -> str:
        """The instructions as the model got them."""
        return "\n\n".join(piece.text for piece in self.pieces if not piece.role and piece.text)

    @property
    def lines(self) -> tuple[ContextPiece, ...]:
        """The lines as the model got them."""
        return tuple(piece for piece in self.pieces if piece.role)


@attrs.define(kw_only=True)
class _Told:
    """What the logbook says of one step."""

    agent: str = ""
    hash: str = ""
    prompt: Mapping[str, object] = field(factory=dict)
    manifest: Mapping[str, object] = field(factory=dict)
    granted: list[str] | None = None
    reasoned: Mapping[str, object] = field(factory=dict)
    messages: int = 0
    version: int = 0
    tokens: int = 0
    final: str = ""
    replied: Mapping[str, object] = field(factory=dict)
    steps: list[int] = field(factory=list)


async def explain(store: Store, run: str, step: int | None = None, prompt: Prompt | None = None) -> Explanation:
    """What the model was given in a step; None is the latest for which a context was assembled.

    Args:
        prompt: the agent's prompt as it is now, for runs whose file does not hold it: those without a Context that an
            earlier version began. It is shown if it is still the one that the run began with.

    Raises:
        AgentError: when the run has no such step.
    """
    told = await _told(store, run, step)
    if not told.messages or (step is not None and step not in told.steps):
        steps = f"it has steps {told.steps[0]} to {told.steps[-1]}" if told.steps else "it has none yet"
        raise AgentError(f"run {run} has assembled no context for step {step if step is not None else 1}: {steps}")
    conversation = await whole_conversation(store, run)
    working, decisions = Working(), list[Decision]()

    async def lines(run: str, upto: int) -> Sequence[ChatMessage]:
        return conversation

    if told.version:
        contexts = Contexts(store, lines)
        working = await contexts.at(run, told.messages, told.version)
        decisions = list(await contexts.decisions(run, told.version))[: told.version]
    else:
        frame = _whole_frame(told, await _prompt(store, told, prompt))
        working = Working().hear(conversation[: told.messages]).decided(frame)
    return _explained(run, told, working, decisions)


def _explained(run: str, told: _Told, working: Working, decisions: Sequence[Decision]) -> Explanation:
    assembled, frame = assemble(working), working.frame
    assert frame is not None
    pieces = [_shown(piece, whole=not told.version) for piece in assembled.pieces]
    tokens = told.tokens or assembled.tokens
    if told.final:
        text = ChatMessage("user", told.final)
        last = Piece(section=LAST_CALL, text=told.final, why="the run's last call, at a limit", message=text)
        pieces.append(_shown(last, whole=False))
        tokens = math.ceil((assembled.weight - assembled.fixed + last.weight) / CHARACTERS_PER_TOKEN)
    return Explanation(
        run=run,
        step=told.steps[-1],
        agent=told.agent,
        prompt=frame.prompt,
        prompt_version=frame.prompt_version,
        prompt_hash=frame.prompt_hash,
        tools=() if told.final else frame.tools,
        messages=told.messages,
        decisions=told.version,
        tokens=tokens,
        budget_tokens=frame.budget_tokens if told.version else None,
        order=frame.order,
        pieces=tuple(pieces),
        left_out=tuple(_left_out(decisions)),
        model=str(told.replied.get("model", "")),
        provider=str(told.replied.get("provider", "")),
        answered=str(told.replied.get("answered", "")),
    )


def _shown(piece: Piece, *, whole: bool) -> ContextPiece:
    return ContextPiece(
        section=piece.section,
        text=piece.text,
        why="the whole conversation is sent" if whole and piece.position else piece.why,
        tokens=math.ceil(piece.weight / CHARACTERS_PER_TOKEN),
        role="" if piece.message is None else piece.message.role,
        position=piece.position,
        source=piece.source,
        score=piece.score,
        calls=() if piece.message is None else piece.message.calls,
        tool="" if piece.message is None else piece.message.name,
    )


def _left_out(decisions: Sequence[Decision]) -> Iterator[LeftOut]:
    last = max((one.number for one in decisions if isinstance(one, Summarised)), default=0)
    found: list[LeftOut] = []
    for one in decisions:
        if isinstance(one, Dropped):
            found += [LeftOut(first=a, last=b, why=f"dropped by {one.by} for step {one.step}") for a, b in one.ranges]
        elif isinstance(one, Summarised):
            within = "" if one.number == last else f", which is in summary {last}"
            why = f"in summary {one.number}, by {one.by} for step {one.step}{within}"
            found += [LeftOut(first=a, last=b, why=why) for a, b in one.ranges]
    yield from sorted(found, key=lambda one: one.first)


async def _prompt(store: Store, told: _Told, given: Prompt | None) -> Prompt | None:
    """The prompt that the run began with: the agent's, if it is still that, or as the file has kept it."""
    digest = str(told.manifest.get("prompt", ""))
    if given is not None and given.digest == digest:
        return given
    text = await content_of(store, digest)
    if not text:
        return None
    return Prompt(text, str(told.prompt.get("name", INLINE)), str(told.prompt.get("version", "")))


def _whole_frame(told: _Told, prompt: Prompt | None) -> Framed:
    """The frame of a run that is sent all that was said, as far as its file has one."""
    digest = str(told.manifest.get("prompt", ""))
    no_prompt = Prompt("", name="none")
    unknown = no_prompt if digest == no_prompt.digest else Prompt("", name="not in the file")
    known = prompt if prompt is not None and prompt.digest == digest else unknown
    tools = msgspec.convert(told.manifest.get("tools", []), list[dict[str, object]])
    names = tuple(str(tool["name"]) for tool in tools)
    for granted in (told.granted, msgspec.convert(told.reasoned.get("granted"), list[str] | None)):
        names = names if granted is None else tuple(name for name in names if name in granted)
    return Framed(
        step=0,
        upto=0,
        budget_tokens=0,
        order=SECTIONS,
        instructions=known.text,
        prompt=known.name,
        prompt_version=known.version,
        prompt_hash=digest,
        tools=(*names, *msgspec.convert(told.reasoned.get("offered", []), list[str])),
        fixed=0,
    )


async def _told(store: Store, run: str, step: int | None) -> _Told:
    told, after, is_behind = _Told(), 0, False
    while page := await store.read(run_stream(run), after, PAGE):
        after = page[-1].position
        for entry in page:
            if entry.kind in _TELLING:
                is_behind = is_behind or _take(told, entry.kind, msgspec.json.decode(entry.body), step)
        if is_behind:
            break
    if not told.manifest:
        told.manifest = await identity_of(store, told.hash) or {}
    return told


_TELLING = frozenset(
    {"run.started", "run.manifest", "run.granted", "memory.assembled", "phase", "model.replied", "run.degraded"}
)


def _take(told: _Told, kind: str, data: Mapping[str, object], step: int | None) -> bool:
    """Take note of an entry, up to the step in question; True behind it."""
    match kind:
        case "run.started":
            told.agent = str(data["agent"])
        case "run.manifest":
            told.hash = str(data["hash"])
            told.prompt = msgspec.convert(data.get("prompt", {}), dict[str, object])
            told.manifest = msgspec.convert(data.get("identity", {}), dict[str, object])
        case "run.granted":
            told.granted = msgspec.convert(data["tools"], list[str])
        case "memory.assembled":
            number = msgspec.convert(data["step"], int)
            if told.steps and step is not None and number > step:
                return True
            told.steps.append(number)
            told.messages = msgspec.convert(data["messages"], int)
            told.version = msgspec.convert(data.get("context", 0), int)
            told.tokens = msgspec.convert(data.get("tokens", 0), int)
            told.final, told.replied, told.reasoned = "", {}, {}
        case "phase":
            told.reasoned = data if data["phase"] == Phase.REASON.value else told.reasoned
        case "run.degraded":
            told.final = f"{LAST} ({data['reason']})"
        case _:
            told.replied = data
    return False
