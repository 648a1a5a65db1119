"""Server-sent events out of bytes, however the network has cut them: pure, without I/O."""

from __future__ import annotations

from attrs import frozen


@frozen
class ServerEvent:
    """One event: its name, empty when it has none, and its data as text."""

    name: str
    data: str


class EventStream:
    r"""Puts events together. What is not ended by an empty line is no event, so a stream that is cut loses its tail.

    >>> stream = EventStream()
    >>> stream.take(b"data: 1\n\ndata: 2")
    [ServerEvent(name='', data='1')]
    >>> stream.take(b"3\r\n\r\n")
    [ServerEvent(name='', data='23')]
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._name = b""
        self._data: list[bytes] = []
        self._ended_in_return = False

    def take(self, chunk: bytes) -> list[ServerEvent]:
        """The events that end within these bytes.

        Raises:
            UnicodeDecodeError: an event is no UTF-8.
        """
        if self._ended_in_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        elif not chunk:
            return []
        self._ended_in_return = chunk.endswith(b"\r")
        chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._pieces.append(chunk)
        if b"\n" not in chunk:
            return []
        *lines, rest = b"".join(self._pieces).split(b"\n")
        self._pieces = [rest]
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: bytes) -> ServerEvent | None:
        if line:
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"event":
                self._name = value
            elif field == b"data":
                self._data.append(value)
            return None
        name, data = self._name, self._data
        self._name, self._data = b"", []
        return ServerEvent(name.decode(), b"\n".join(data).decode()) if name or data else None
