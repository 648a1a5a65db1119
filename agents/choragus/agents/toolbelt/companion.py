"""What helps a tool: one that stands in for it, one that undoes it, one that looks whether it happened."""

from __future__ import annotations

import msgspec

from choragus.agents.errors import ToolFault, WrongResult
from choragus.agents.flow.declaration import Labels

from .definition import Constant, Risk, Tool
from .options import NOTHING
from .signature import OF_MSGSPEC

RESULT = "result"
"""The parameter of an `undo` that takes what the call gave back."""


def fallback_of(called: str, parameters: tuple[str, ...], risk: Risk, given: object) -> Tool | Constant | None:
    """What stands in for a tool of these parameters and this risk.

    Raises:
        ToolFault: it takes something else, does more, or is no JSON.
    """
    if given is NOTHING:
        return None
    if not isinstance(given, Tool):
        try:
            return Constant(msgspec.json.encode(given).decode())
        except OF_MSGSPEC as error:
            raise ToolFault(f"fallback={given!r} of tool {called!r} cannot be written as JSON ({error})") from error
    ranks = list(Risk)
    if ranks.index(given.risk) > ranks.index(risk) or given.risk is Risk.IRREVERSIBLE:
        raise ToolFault(
            f"the fallback {given.name!r} of tool {called!r} is {given.risk.value}: nobody would be asked about it; "
            "give one that does no more than the tool, and that can be undone"
        )
    if set(parameters) - set(given.parameters) or set(_required(given)) - set(parameters):
        raise ToolFault(
            f"the fallback {given.name!r} of tool {called!r} takes {', '.join(given.parameters) or 'nothing'}: "
            f"let it take what the tool takes: {', '.join(parameters) or 'nothing'}"
        )
    return given


def check_flow(made: Tool, fallback: Tool) -> None:
    """Refuse a fallback whose arguments are guarded better than its tool's: only those of the tool are looked at.

    Raises:
        ToolFault: it is one.
    """
    own, other = made.labels or Labels(), fallback.labels or Labels()
    if other.guarded and made.risk is Risk.READ and not own.guarded:
        raise ToolFault(
            f"the fallback {fallback.name!r} of tool {made.name!r} is guarded and its tool is not: nobody would look "
            "at what it is given; give the tool Labels(guarded=True)"
        )
    for name in made.parameters:
        most, mine = other.takes(name), own.takes(name)
        if most < mine and (other.guarded or fallback.risk is not Risk.READ):
            raise ToolFault(
                f"the fallback {fallback.name!r} of tool {made.name!r} takes {name!r} up to {most.name.lower()!r}, its "
                f"tool up to {mine.name.lower()!r}: give both the same"
            )


def check_constant(made: Tool, constant: Constant) -> None:
    """Refuse a value that the tool could not have given back.

    Raises:
        ToolFault: it is such a value.
    """
    try:
        made.check_result(constant.text)
    except WrongResult as error:
        raise ToolFault(f"the fallback of tool {made.name!r} is no result of it: {error.detail}") from error


def check_undo(called: str, parameters: tuple[str, ...], undo: Tool) -> None:
    """Refuse one that takes what nobody has.

    Raises:
        ToolFault: it does.
    """
    strange = set(_required(undo)) - {*parameters, RESULT}
    if strange:
        raise ToolFault(
            f"the undo {undo.name!r} of tool {called!r} takes {sorted(strange)[0]!r}, which nobody has: let it take "
            f"{', '.join([*parameters, RESULT])}, or less"
        )


def check_of(called: str, given: object) -> Tool | str:
    """How a person finds out about an interrupted call.

    Raises:
        ToolFault: it is neither a text nor a tool that reads by key.
    """
    if isinstance(given, str):
        return given
    if not isinstance(given, Tool) or given.risk is not Risk.READ or given.parameters != ("key",):
        raise ToolFault(
            f"check={given!r} of tool {called!r} does not say whether a call happened: give a text, or a tool of risk "
            "'read' that takes the idempotency key, as `key: str`"
        )
    return given


def _required(made: Tool) -> list[str]:
    return [each.name for each in msgspec.structs.fields(made._arguments) if each.required]
