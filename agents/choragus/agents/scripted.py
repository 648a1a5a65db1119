"""Two models without a network, for tests and offline examples.

`ScriptedModel` says what a list says. `FunctionModel` says what a function makes of the request, so it can react to
what a tool gave back. Both count tokens by length, so limits and prices can be tried out with them.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from attrs import evolve

from .errors import ModelError
from .model import ModelReply, ModelRequest, Price, Usage, tokens

Answer = ModelReply | str
Function = Callable[[ModelRequest], Answer | Awaitable[Answer]]

DEFAULT_OUTPUT_TOKENS = 4096


class ScriptedModel:
    """A model that says its lines in order.

    The line is chosen by the number of assistant messages in the request and not by a counter, because a run may go on
    in another process, with a new instance of the same script. An exception in the script adds no such message: it is
    raised once by each instance when the conversation comes to it, and the next attempt gets the line behind it.

    >>> model = ScriptedModel([ModelError("busy, try again", retryable=True), "It rains."])

    `with ScriptedModel([...]) as model:` ends with `assert_complete`, unless another error is on its way.

    Args:
        replies: what to say, a text standing for a reply with that text and no calls.
        name: the model's name in the manifest and the logbook.
        price: for the cost of a reply that states no usage of its own.
    """

    provider = "scripted"
    is_real = False

    def __init__(
        self, replies: Sequence[Answer | Exception], *, name: str = "scripted", price: Price | None = None
    ) -> None:
        self.name = name
        self.requests: list[ModelRequest] = []
        self._price = price or Price()
        self._answers = [_reply(each) for each in replies if not isinstance(each, Exception)]
        self._failures = _failures(replies)
        self._said = 0

    def settings(self) -> dict[str, object]:
        """Nothing: a longer script is not another model."""
        return {}

    def estimate(self, request: ModelRequest) -> Usage:
        """What the line that comes next will use, exactly; the input alone when there is none."""
        position = _position(request)
        if position < len(self._answers):
            return _used(self._price, request, self._answers[position])
        return self._price.priced(tokens(request), 0)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The line for this point of the conversation.

        Raises:
            ModelError: the script is over. Not retryable.
            Exception: whatever the script holds at this point.
        """
        self.requests.append(request)
        position = _position(request)
        if self._failures.get(position):
            raise self._failures[position].pop(0)
        if position >= len(self._answers):
            raise ModelError(self._over(position))
        self._said = max(self._said, position + 1)
        return evolve(self._answers[position], usage=_used(self._price, request, self._answers[position]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.assert_complete()

    def assert_complete(self) -> None:
        """Check that the conversation came to the last line and met every exception since this instance took part.

        Raises:
            AssertionError: what was not said.
        """
        first = min(map(_position, self.requests), default=0)
        unsaid = [reply.text or reply.calls for reply in self._answers[self._said :]]
        unsaid += [repr(each) for position, left in self._failures.items() if position >= first for each in left]
        if unsaid:
            raise AssertionError(f"the script of model {self.name!r} was left with {len(unsaid)} unsaid: {unsaid}")

    def _over(self, position: int) -> str:
        return (
            f"the script of model {self.name!r} has {len(self._answers)} replies and was asked for number "
            f"{position + 1}: add a reply, or end the conversation earlier"
        )


class FunctionModel:
    """A model that answers by a function of the request.

    The function sees exactly what a provider would be sent. It is run inline, on the event loop, plain or `async`: it
    is a test double, so it must not block. What it raises is raised as it is; raise `ModelError` to play a model that
    fails. When a run resumes, a call whose reply was not stored is made again, so decide from the request alone.

    Args:
        function: gives a reply, or a text that stands for a reply with that text and no calls.
        name: the model's name in the manifest and the logbook.
        price: for the cost of a reply that states no usage of its own.
        max_output_tokens: the budget reserved for a reply. A longer one is an error, so that the ceiling holds.
    """

    provider = "function"
    is_real = False

    def __init__(
        self,
        function: Function,
        *,
        name: str = "function",
        price: Price | None = None,
        max_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
    ) -> None:
        if max_output_tokens < 1:
            raise ValueError(f"max_output_tokens is {max_output_tokens}: it must be 1 or more")
        self.name = name
        self._function = function
        self._price = price or Price()
        self._max_output_tokens = max_output_tokens

    def settings(self) -> dict[str, object]:
        """The most that a reply may hold."""
        return {"max_output_tokens": self._max_output_tokens}

    def estimate(self, request: ModelRequest) -> Usage:
        """The request's own length and the longest reply."""
        return self._price.priced(tokens(request), self._max_output_tokens)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """What the function makes of the request.

        Raises:
            ModelError: the function gave back something else than a reply or a text, or too long a reply.
        """
        answer = self._function(request)
        if inspect.isawaitable(answer):
            answer = await answer
        if not isinstance(answer, ModelReply | str):
            raise ModelError(
                f"model {self.name!r} gave back {answer!r}: its function must return a ModelReply or a str"
            )
        return self.counted(request, _reply(answer))

    def counted(self, request: ModelRequest, reply: ModelReply) -> ModelReply:
        """The reply with what it used, unless it is too long."""
        used = _used(self._price, request, reply)
        if used.output_tokens > self._max_output_tokens:
            raise ModelError(self._too_long(used))
        return evolve(reply, usage=used)

    def _too_long(self, used: Usage) -> str:
        return (
            f"model {self.name!r} answered with {used.output_tokens} tokens, above its max_output_tokens of "
            f"{self._max_output_tokens}: raise that, or answer in fewer words"
        )


def _position(request: ModelRequest) -> int:
    return sum(message.role == "assistant" for message in request.messages)


def _reply(answer: Answer) -> ModelReply:
    return ModelReply(text=answer) if isinstance(answer, str) else answer


def _used(price: Price, request: ModelRequest, reply: ModelReply) -> Usage:
    return reply.usage or price.priced(tokens(request), tokens(reply))


def _failures(replies: Sequence[Answer | Exception]) -> dict[int, list[Exception]]:
    """The exceptions, by the number of lines that stand before them."""
    found: dict[int, list[Exception]] = {}
    before = 0
    for each in replies:
        if isinstance(each, Exception):
            found.setdefault(before, []).append(each)
        else:
            before += 1
    return found
