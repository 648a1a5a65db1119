"""What a system offers to find actors by name, and to compose them."""

from __future__ import annotations

from typing import Never, TypeVar
from weakref import WeakValueDictionary

from choragus.actors.actor import Actor, M
from choragus.actors.errors import ActorStopped, SystemStopped
from choragus.actors.kernel import Kernel
from choragus.actors.mailbox import DEFAULT, Mailbox
from choragus.actors.ref import Ref
from choragus.actors.topic import Topic

from .errors import SpecFault, not_entered
from .keyed import Keyed
from .pool import PoolRef, pool_at
from .slot import Origin
from .spec import Child, DynamicSupervisor
from .strategy import OneForOne, Restart
from .supervisor import Node

T = TypeVar("T")

IDLE = 300.0
"""Seconds without a message after which a keyed actor leaves memory, unless said otherwise."""


class Composing:
    """The part of a System that is about actors as groups, by name and by key."""

    _top: Node | None = None
    _pools: WeakValueDictionary[Node, PoolRef[Never]] | None = None

    @property
    def kernel(self) -> Kernel:
        """The kernel that runs."""
        raise NotImplementedError

    @property
    def _root(self) -> Node:
        """The top of the tree.

        Raises:
            RuntimeError: before the system is entered.
        """
        if self._top is None:
            raise not_entered()
        return self._top

    def topic(self, message: type[T], name: str) -> Topic[T]:
        """The topic of that name, for messages of that class; made when there is none.

        One that has no subscribers, and that nobody holds, is forgotten.

        Raises:
            ValueError: when the name is empty.
            TypeError: when the topic of that name is of another class.
        """
        return self.kernel.topics.get(message, name)

    def register(self, name: str, ref: Ref[Never]) -> None:
        """Let the ref go by that name, wherever it stands in the tree, until its actor ends; a restart is no end.

        Again under the same name is fine.

        Raises:
            ValueError: when the name is empty.
            AlreadyRegistered: when another ref has it; the error has that ref.
            ActorStopped: when the actor has stopped.
        """
        self.kernel.names.register(name, ref)

    def unregister(self, name: str) -> None:
        """Free the name.

        Raises:
            NotRegistered: when nobody has it.
        """
        self.kernel.names.unregister(name)

    def whereis(self, actor: type[Actor[M]], name: str) -> Ref[M]:
        """The ref that goes by that name, to be sent what such an actor takes.

        Raises:
            NotRegistered: when nobody has the name, or who has it does not take all that such an actor takes.
        """
        return self.kernel.names.whereis(actor, name)

    def registered(self) -> tuple[str, ...]:
        """The names that are taken, in the order in which they were."""
        return self.kernel.names.names()

    def pool(self, worker: type[Actor[M]], path: str) -> PoolRef[M]:
        """The ref that routes to the workers of the Pool at that path in the tree; it stays valid over restarts.

        Raises:
            ActorStopped: when no pool of such workers stands there.
        """
        self._pools = pools = self._pools if self._pools is not None else WeakValueDictionary()
        found = self._root.find(path)
        made = pool_at(found, path, worker)
        return pools.setdefault(made.node, made)  # type: ignore[return-value]  # its workers take what the class takes

    async def keyed(
        self,
        actor: type[Actor[M]],
        *args: object,
        name: str = "",
        idle: float = IDLE,
        most: int | None = None,
        strategy: OneForOne | None = None,
        restart: Restart = Restart.TRANSIENT,
        shutdown: float = 5.0,
        startup: float = 60.0,
        mailbox: int | Mailbox = DEFAULT,
        **kwargs: object,
    ) -> Keyed[M]:
        """Have actors of that class by key, under a supervisor of their own below the root.

        Args:
            args, kwargs: for the actor's `__init__`, behind the key, which is its first positional argument.
            name: of the supervisor, unique under the root; that of the class when empty.
            idle: seconds without a message after which one is stopped; `math.inf`: never.
            most: how many may be in memory. For one more, the longest idle is stopped first; when none is idle, its
                message raises TooManyActive. None: no limit.
            strategy: of their supervisor; OTP's 1 restart in 5 s by default, for all keys together.
            restart: transient by default: after failures. With TEMPORARY a failure ends it, what waits is refused, and
                the next message starts it anew; no restarts are counted.
            shutdown, startup, mailbox: of each, as of a Child. As many messages wait while one is being started.

        Raises:
            SpecFault: when an argument is out of range.
            AlreadyStarted: when the name is alive.
            SystemStopped: when the system has ended.
        """
        worker = Child(
            actor,
            name="key",
            args=args,
            kwargs=kwargs,
            restart=restart,
            shutdown=shutdown,
            startup=startup,
            mailbox=mailbox,
        )
        if not idle > 0:
            raise SpecFault(f"keyed {actor.__name__}: idle={idle!r} must be seconds above 0, or math.inf")
        if most is not None and (not isinstance(most, int) or most < 1):
            raise SpecFault(f"keyed {actor.__name__}: most={most!r} must be a whole number, 1 or more, or None")
        spec = DynamicSupervisor(name=name or actor.__name__, strategy=strategy or OneForOne())
        try:
            slot = await self._root.add(spec, spec.name, origin=Origin.DYNAMIC)
        except ActorStopped as error:
            raise SystemStopped(f"the system has stopped; {actor.__name__} cannot be kept by key") from error
        assert isinstance(slot.running, Node)
        return Keyed(slot.running, actor, worker, idle=idle, most=most)
