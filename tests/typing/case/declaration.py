"""What type checkers let pass and the definition of the class refuses: each function raises HandlerFault."""

from __future__ import annotations

from choragus.actors import Actor, handle

from .counter import Add, Clear, Names


def wrong_reply() -> type:
    class Wrong(Actor[Add]):
        @handle
        def add(self, message: Add) -> str:
            return "one"

    return Wrong


def wrong_reply_of_a_coroutine() -> type:
    class Wrong(Actor[Add]):
        @handle
        async def add(self, message: Add) -> str:
            return "one"

    return Wrong


def no_handler() -> type:
    class Missing(Actor[Add | Clear]):
        @handle
        def add(self, message: Add) -> int:
            return 1

    return Missing


def not_named() -> type:
    class Extra(Actor[Add]):
        @handle
        def add(self, message: Add) -> int:
            return 1

        @handle
        def list_names(self, message: Names) -> list[str]:
            return []

    return Extra
