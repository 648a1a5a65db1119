"""One attempt of a call, outside any turn: in line, within its time, in its place, and what it gave back looked at."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial

from attrs import define, evolve, field, frozen

from choragus.agents.errors import BadArguments, BadResult, SecretFault, ToolError, WrongResult
from choragus.agents.patience import CutOff, TookTooLong, told, within
from choragus.agents.storable import storable

from .breaking import Moved, unheard
from .context import ToolContext
from .definition import Tool
from .lane import Lane, Refused
from .process import Died, FailedThere, in_process
from .secret import Vault

LINE = 128
"""Calls that wait in line at once, over all tools: each takes up one of the 256 places that effects have, and model
calls need some of these. Further calls are turned away, and come again."""


class Fate(Enum):
    """Whether a call did what it was to do."""

    DONE = "done"
    NOT = "not"
    """It did not, as far as the tool's word goes."""
    MAYBE = "maybe"
    """It was cut off in the middle."""


@frozen(kw_only=True)
class Outcome:
    """What became of an attempt. `text` is for the model; `retryable`: it may be tried again at no risk.

    `is_turned_away`: it has not begun, for too many wait in line.
    """

    text: str
    is_error: bool = False
    fate: Fate = Fate.DONE
    retryable: bool = False
    is_turned_away: bool = False

    def scrubbed(self, vault: Vault) -> Outcome:
        """The same, without secrets and without what UTF-8 cannot carry (half a surrogate pair, say)."""
        text = vault.scrubbed(storable(self.text))
        return evolve(self, text=text)


@define
class Toolbelt:
    """What the calls of all runs share: the resources, the secrets, and the lanes of the tools.

    `clock` gives seconds that only go forward; by default those of the event loop.
    """

    resources: object = None
    vault: Vault = field(factory=Vault)
    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    moved: Moved = unheard
    _lanes: dict[Tool, Lane] = field(factory=dict, init=False)
    _waiting: dict[str, set[asyncio.Task[bool]]] = field(factory=dict, init=False)

    async def attempt(self, tool: Tool, arguments: Mapping[str, object], where: ToolContext[object]) -> Outcome:
        """Run the tool once, when it is its turn. Whatever the tool does, this gives an outcome."""
        lane = self._lane(tool)
        if lane is None:
            return (await self._outcome(tool, arguments, where))[0].scrubbed(self.vault)
        if not lane.has_room and sum(map(len, self._waiting.values())) >= LINE:
            return Outcome(text=f"{tool.name} has a long line", is_error=True, fate=Fate.NOT, is_turned_away=True)
        try:
            is_probe = await self._entered(where.run, lane)
        except Refused as refused:
            text = f"{tool.name} was not called, for it has failed too often: try it again in {refused.again:.3g} s"
            return Outcome(text=text, is_error=True, fate=Fate.NOT)
        except CutOff:
            text = f"{tool.name} was not called: the run ended first"
            return Outcome(text=text, is_error=True, fate=Fate.NOT, is_turned_away=True)
        failed: bool | None = None
        try:
            outcome, failed = await self._outcome(tool, arguments, where)
        finally:
            lane.leave(is_probe, failed)
        return outcome.scrubbed(self.vault)

    def forget(self, run: str) -> None:
        """The run has ended, or is held: its calls that wait for their turn do not begin, and may come again."""
        for waiting in self._waiting.pop(run, ()):
            waiting.cancel()

    def _lane(self, tool: Tool) -> Lane | None:
        options = tool.options
        if options.concurrency is None and options.rate is None and options.breaker is None:
            return None
        if tool not in self._lanes:
            self._lanes[tool] = Lane(options, self.clock, f"tool/{tool.name}", self.moved)
        return self._lanes[tool]

    async def _entered(self, run: str, lane: Lane) -> bool:
        """Wait in line, unless the run ends; raises CutOff when it does, and Refused."""
        lane.arrive()
        entering = asyncio.get_running_loop().create_task(lane.enter())
        self._waiting.setdefault(run, set()).add(entering)
        is_in = False
        try:
            await asyncio.wait({entering})
            is_in = not entering.cancelled() and entering.exception() is None
        except asyncio.CancelledError:
            if not entering.cancel() and not entering.cancelled() and entering.exception() is None:
                is_in = True
                lane.leave(entering.result(), None)
            raise
        finally:
            lane.arrived(is_in)
            self._leave_line(run, entering)
        if entering.cancelled():
            raise CutOff
        return entering.result()

    def _leave_line(self, run: str, entering: asyncio.Task[bool]) -> None:
        waiting = self._waiting.get(run, set())
        waiting.discard(entering)
        if not waiting:
            self._waiting.pop(run, None)

    async def _outcome(
        self, tool: Tool, arguments: Mapping[str, object], where: ToolContext[object]
    ) -> tuple[Outcome, bool | None]:
        """The outcome, and whether the tool has failed; None: it says nothing about the tool."""
        try:
            text = await within(tool.timeout, self._result(tool, arguments, where))
            tool.check_result(text)
        except TookTooLong:
            return _cut_off(tool, f"{tool.name} took longer than {tool.timeout:g} s and {_left(tool)}"), True
        except (CutOff, Died) as error:
            return _cut_off(tool, str(error) or f"{tool.name} was cancelled from inside"), True
        except BadArguments as error:
            return Outcome(text=str(error), is_error=True, fate=Fate.NOT), None
        except (BadResult, WrongResult) as error:
            text = f"{tool.name} has run, but {error}"
            return Outcome(text=text, is_error=True, retryable=tool.repeatable), True
        except ToolError as error:
            outcome = Outcome(text=error.reason, is_error=True, fate=Fate.NOT, retryable=error.retryable)
            return outcome, True if error.retryable else None
        except Exception as error:
            text = f"{tool.name} failed: {error if isinstance(error, FailedThere) else told(error)}"
            return Outcome(text=text, is_error=True, fate=Fate.NOT, retryable=tool.repeatable), True
        return Outcome(text=text), False

    async def _result(self, tool: Tool, arguments: Mapping[str, object], where: ToolContext[object]) -> str:
        kwargs = tool.parse(arguments)
        if tool.options.isolation is not None:
            secrets = {name: self.vault.value(name) for name in tool.options.secrets}
            return await in_process(tool, arguments, where, secrets, self.vault.without(os.environ))
        given = evolve(where, resources=self.resources, secret=partial(self._secret, tool))
        return tool.render(await tool.call(kwargs, given))

    def _secret(self, tool: Tool, name: str) -> str:
        if name not in tool.options.secrets:
            raise SecretFault(name, f"tool {tool.name!r} has not declared it: write secrets=({name!r},)")
        return self.vault.value(name)


def _cut_off(tool: Tool, text: str) -> Outcome:
    return Outcome(text=text, is_error=True, fate=Fate.MAYBE, retryable=tool.repeatable)


def _left(tool: Tool) -> str:
    if tool.options.isolation is not None:
        return "its process was killed"
    if inspect.iscoroutinefunction(tool.function):
        return "was cancelled"
    return "was left behind: its thread cannot be stopped"
