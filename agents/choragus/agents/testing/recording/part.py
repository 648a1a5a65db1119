"""A model and a tool that put what they do on a tape, or take it from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from attrs import evolve

from choragus.agents.context.option import Context
from choragus.agents.context.strategy import Strategy, Summarise
from choragus.agents.errors import BadResult, ModelError, ToolError
from choragus.agents.model import Model, ModelReply, ModelRequest, Streamed, StreamingModel, TextDelta, Usage
from choragus.agents.patience import CutOff, told
from choragus.agents.reality import check_model_allowed, is_real
from choragus.agents.testing.rewiring import rewired
from choragus.agents.tool import Tool, ToolContext

from .exchange import Plain, failure_as_plain, reply_as_plain, reply_of, request_as_plain
from .tape import Tape

LATE = 0.9
"""Of its timeout, behind which a call that is cancelled has come to it: the gateway's clock runs a little before."""


class RecordedModel:
    """A model as an agent has it, with the same identity; while it is replayed the model itself is never called."""

    def __init__(self, model: Model, tape: Tape) -> None:
        self.name = model.name
        self.provider = model.provider
        self._model = model
        self._tape = tape

    @property
    def is_real(self) -> bool:
        """Whether the model behind it is called, and real."""
        return self._tape.records and is_real(self._model)

    def settings(self) -> dict[str, object]:
        """Those of the model."""
        return self._model.settings()

    def estimate(self, request: ModelRequest) -> Usage | None:
        """That of the model."""
        return self._model.estimate(request)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The model's reply, or the one that was recorded.

        Raises:
            ModelError: as the model, or as it did then.
            ReplayDrift: nothing was recorded for such a request.
        """
        asked = request_as_plain(request)
        if not self._tape.records:
            return reply_of(self._tape.answer("model", asked))
        check_model_allowed(self._model)
        exchange = self._tape.begin("model", asked)
        try:
            reply = await self._model.complete(request)
        except ModelError as error:
            exchange.answer = self._tape.clean(failure_as_plain(error))
            raise
        exchange.answer = self._tape.clean(reply_as_plain(reply))
        return reply


class RecordedStreamingModel(RecordedModel):
    """The same for a model that streams; a replayed reply comes in one piece."""

    _model: StreamingModel

    async def stream(self, request: ModelRequest) -> AsyncIterator[Streamed]:
        """The pieces as they come from the model, or the recorded reply as one; the reply last.

        Raises:
            ModelError, ReplayDrift: as `complete`.
        """
        asked = request_as_plain(request)
        if not self._tape.records:
            reply = reply_of(self._tape.answer("model", asked))
            if reply.text:
                yield TextDelta(reply.text)
            yield reply
            return
        check_model_allowed(self._model)
        exchange = self._tape.begin("model", asked)
        try:
            async for piece in self._model.stream(request):
                if isinstance(piece, ModelReply):
                    exchange.answer = self._tape.clean(reply_as_plain(piece))
                yield piece
        except ModelError as error:
            exchange.answer = self._tape.clean(failure_as_plain(error))
            raise


def recorded_model(model: Model, tape: Tape) -> Model:
    """The model with the tape, streaming if it streams."""
    kind = RecordedStreamingModel if isinstance(model, StreamingModel) else RecordedModel
    return kind(model, tape)


def recorded_context(context: Context | None, tape: Tape) -> Context | None:
    """The context with the models that summarise on the tape."""
    if context is None:
        return None
    return evolve(context, compaction=[_recorded_strategy(each, tape) for each in context.compaction])


def recorded_tool(tool: Tool, tape: Tape) -> Tool:
    """The tool with the tape. While it is replayed it needs neither resources nor secrets, for nothing runs."""

    async def around(tool: Tool, given: dict[str, object], context: ToolContext) -> object:
        arguments = msgspec.json.decode(tool.render(given))
        asked: Plain = {"call": context.call, "tool": tool.name, "arguments": arguments}
        if not tape.records:
            return _replayed(tool, tape.answer("tool", asked))
        for name in tool.options.secrets:
            tape.scrubber.learn(name, context.secret(name))
        exchange = tape.begin("tool", asked)
        exchange.answer, result = await _called(tool, given, context, tape)
        return result if isinstance(result, msgspec.Raw) else _raised(result)

    return rewired(tool, around, detached=not tape.records)


def _recorded_strategy(strategy: Strategy, tape: Tape) -> Strategy:
    if not isinstance(strategy, Summarise) or strategy.model is None:
        return strategy
    return evolve(strategy, model=recorded_model(strategy.model, tape))


async def _called(
    tool: Tool, given: dict[str, object], context: ToolContext, tape: Tape
) -> tuple[Plain | None, msgspec.Raw | BaseException]:
    """What to record of a call, and what it gave back as JSON, or raised."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        text = tool.render(await tool.call(given, context))
    except ToolError as error:
        return _failure(tape, "ToolError", error.reason, retryable=error.retryable), error
    except BadResult as error:
        return _failure(tape, "BadResult", error.detail, kind=error.kind), error
    except asyncio.CancelledError as error:
        is_late = loop.time() - began >= LATE * tool.timeout  # otherwise the run has ended, or the runtime is closed
        return (_failure(tape, "CutOff", _late(tool)) if is_late else None), error
    except Exception as error:
        name, _, said = told(error).partition(": ")
        return _failure(tape, name, said), error
    return _result(tape.scrubber.text(text)), msgspec.Raw(text.encode())


def _result(text: str) -> Plain:
    """A result as JSON where that gives the same text again, which the model has read; else the text."""
    try:
        value: object = msgspec.json.decode(text)
        is_same = msgspec.json.encode(value).decode() == text
    except (msgspec.DecodeError, ValueError):
        is_same = False
    return {"result": value} if is_same else {"text": text}


def _failure(tape: Tape, name: str, said: str, **more: object) -> Plain:
    return tape.clean({"error": {"type": name, "reason": said, **more}})


def _late(tool: Tool) -> str:
    return f"{tool.name} took longer than {tool.timeout:g} s and was cancelled"


class _Failure(msgspec.Struct):
    type: str
    reason: str = ""
    retryable: bool = False
    kind: str = ""


def _replayed(tool: Tool, answer: Plain) -> msgspec.Raw:
    """The result, or what was raised in its place."""
    if "error" in answer:
        failed = msgspec.convert(answer["error"], _Failure)
        match failed.type:
            case "ToolError":
                raise ToolError(failed.reason, failed.retryable)
            case "BadResult":
                raise BadResult(tool.name, failed.kind, failed.reason)
            case "CutOff":
                raise CutOff(failed.reason)
            case name:
                raise _exception(name, failed.reason)
    text = answer["text"] if "text" in answer else msgspec.json.encode(answer["result"]).decode()
    return msgspec.Raw(str(text).encode())


def _exception(name: str, said: str) -> Exception:
    """An exception of a class of that name: by it and its text the model is told of the failure."""
    made: Exception = type(name, (Exception,), {})(said)
    return made


def _raised(error: BaseException) -> object:
    raise error
