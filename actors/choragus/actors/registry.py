"""Names for actors, independent of their place in the tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never

from choragus.mailbox.errors import ChoragusError

from .actor import Actor, M, table_of
from .errors import ActorStopped, NotRegistered
from .peek import is_open, takes, when_ended
from .ref import Ref, check_ref


class AlreadyRegistered(ChoragusError):
    """Raised when a name in the registry is taken; `ref` is the one that has it."""

    def __init__(self, name: str, ref: Ref[Never]) -> None:
        super().__init__(f"{name!r} is the name of {ref.path} already: unregister it first, or use another name")
        self.name = name
        self.ref = ref


class Registry:
    """Who goes by which name, as OTP's `register` and `whereis`.

    A name has one ref, a ref may have several names. A name is free again when its actor has ended; a restart is no
    end. Names live in memory, also those of durable actors, whose refs never end.
    """

    def __init__(self) -> None:
        self._names: dict[str, tuple[Ref[Never], Callable[[], None]]] = {}

    def __len__(self) -> int:
        """How many names are taken."""
        return len(self._names)

    def register(self, name: str, ref: Ref[Never]) -> None:
        """Let the ref go by that name; again is fine, so that an `on_start` may do it.

        Raises:
            ValueError: when the name is empty.
            AlreadyRegistered: when another ref has it; the error has that ref.
            ActorStopped: when the actor has stopped.
        """
        if not isinstance(name, str) or not name:
            raise ValueError(f"{name!r} is no name for an actor: use any text that is not empty")
        known = self._names.get(name)
        if known is not None:
            if known[0] == ref:
                return
            raise AlreadyRegistered(name, known[0])
        check_ref(ref)
        if not is_open(ref):
            raise ActorStopped(ref.path)
        self._names[name] = (ref, when_ended(ref, lambda _: self._free(name)))

    def unregister(self, name: str) -> None:
        """Free the name.

        Raises:
            NotRegistered: when nobody has it.
        """
        known = self._names.get(name)
        if known is None:
            raise NotRegistered(name, "actor")
        known[1]()
        self._free(name)

    def whereis(self, actor: type[Actor[M]], name: str) -> Ref[M]:
        """The ref of that name, to be sent what such an actor takes.

        Raises:
            NotRegistered: when nobody has the name, or who has it does not take all that such an actor takes.
        """
        known = self._names.get(name)
        if known is None or not all(takes(known[0], message) for message in table_of(actor)):
            raise NotRegistered(name, actor.__name__)
        return known[0]  # type: ignore[return-value]  # it takes what the class takes

    def names(self) -> tuple[str, ...]:
        """The names that are taken, in the order in which they were."""
        return tuple(self._names)

    def _free(self, name: str) -> None:
        self._names.pop(name, None)
