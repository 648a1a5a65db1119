"""Reading the file: in worker threads, each with a connection of its own, so that the loop never waits for a disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import attrs
from anyio import to_thread

from choragus.agents.asgi import Problem
from choragus.mailbox.errors import CorruptRecord, FileBusy, StoreError
from choragus.mailbox.reader import Reader

T = TypeVar("T")

AT_ONCE = 4
"""Reads at a time; more wait."""


@attrs.frozen
class Source:
    """A file that is read from."""

    path: str
    _limiter: list[anyio.CapacityLimiter] = attrs.field(factory=list, repr=False)

    async def read(self, look: Callable[[Reader], T]) -> T:
        """What the function finds in the file.

        Raises:
            Problem: when the file cannot be read: 503 when it is not there or busy, 500 when it is damaged.
        """
        if not self._limiter:  # it belongs to a loop, which there is not when the application is made
            self._limiter.append(anyio.CapacityLimiter(AT_ONCE))
        return await to_thread.run_sync(self._look, look, limiter=self._limiter[0])

    def _look(self, look: Callable[[Reader], T]) -> T:
        try:
            with Reader(self.path) as reader:
                return look(reader)
        except FileBusy as error:
            raise Problem(503, "busy", str(error), **{"retry-after": "2"}) from None
        except CorruptRecord as error:
            raise Problem(500, "damaged", f"{error}: check the file with `choragus verify`") from None
        except StoreError as error:
            raise Problem(503, "file", str(error)) from None
