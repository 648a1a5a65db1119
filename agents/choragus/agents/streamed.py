"""A model without a network that answers piece by piece, for tests and offline examples."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from attrs import evolve

from .errors import ModelError
from .model import ModelReply, ModelRequest, Price, Streamed, TextDelta
from .scripted import DEFAULT_OUTPUT_TOKENS, FunctionModel

Pieces = Callable[[ModelRequest], AsyncIterator[str | ModelReply]]


class StreamingFunctionModel(FunctionModel):
    """A FunctionModel whose function gives its answer piece by piece: an `async` generator of texts.

    Behind the texts it may give a ModelReply, whose own text is not looked at: for calls, a usage or a stop reason.

    >>> async def answer(request: ModelRequest) -> AsyncIterator[str]:
    ...     yield "It "
    ...     yield "rains."
    >>> StreamingFunctionModel(answer, name="weather").name
    'weather'

    Args:
        function: what it raises is raised where it stands, so that a model can be played that fails in the middle.
        name, price, max_output_tokens: as for FunctionModel.
    """

    def __init__(
        self,
        function: Pieces,
        *,
        name: str = "function",
        price: Price | None = None,
        max_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
    ) -> None:
        super().__init__(self._whole, name=name, price=price, max_output_tokens=max_output_tokens)
        self._pieces = function

    async def stream(self, request: ModelRequest) -> AsyncIterator[Streamed]:
        """The function's texts, and then the whole.

        Raises:
            ModelError: the function gave something else than texts and, last, a reply; or too long a reply.
        """
        said: list[str] = []
        last = ModelReply()
        async for piece in self._pieces(request):
            if isinstance(piece, ModelReply):
                last = piece
                break
            if not isinstance(piece, str):
                raise ModelError(f"model {self.name!r} gave the piece {piece!r}: give texts, and last a ModelReply")
            said.append(piece)
            yield TextDelta(piece)
        yield self.counted(request, evolve(last, text="".join(said)))

    async def _whole(self, request: ModelRequest) -> ModelReply:
        async for piece in self.stream(request):
            if isinstance(piece, ModelReply):
                return piece
        raise AssertionError("a stream ends with its reply")
