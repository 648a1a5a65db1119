"""What an agent declares as success: a predicate over the ended run, a type that the answer is of, or a judge."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import TypeAlias, cast

import attrs

from .ended import EndedRun
from .errors import AgentFault
from .judge import Judge
from .output import Output, bare
from .patience import told
from .storable import storable
from .toolbelt.source import source_hash

Predicate: TypeAlias = Callable[[EndedRun], bool]

Success: TypeAlias = Predicate | type | Judge
"""What `Agent(success=...)` takes."""


@attrs.frozen(kw_only=True)
class Assessed:
    """Whether a run succeeded; None: nobody can tell, and `reason` says why. `by` is whose word that is."""

    succeeded: bool | None
    by: str
    reason: str = ""


def check_success(agent: str, success: object) -> None:
    """Refuse what says nothing about success.

    Raises:
        AgentFault: it is no predicate, type or judge, or a coroutine function, or no schema can be made of the type.
    """
    if success is None or isinstance(success, Judge):
        return
    if is_type(success):
        _ = Output(cast("type[object]", success))
        return
    if not inspect.isfunction(inspect.unwrap(success)) and not inspect.ismethod(success):  # type: ignore[arg-type]  # anything may be unwrapped
        raise AgentFault(
            f"success={success!r} of agent {agent!r} declares nothing: give a function of an EndedRun that gives True "
            "or False, a type that the answer is of, or Judge(model, rubric)"
        )
    if inspect.iscoroutinefunction(success):
        raise AgentFault(
            f"success={name_of(success)} of agent {agent!r} is async: a predicate is a plain function of the ended run "
            "that waits for nothing"
        )
    try:
        inspect.signature(cast("Predicate", success)).bind(agent)
    except TypeError as error:
        raise AgentFault(
            f"success={name_of(success)} of agent {agent!r} cannot be called with the ended run alone: {error}"
        ) from None


def is_type(success: object) -> bool:
    """Whether it is a type of answers: a class, or `list[int]`, `int | None` and their like."""
    return inspect.isclass(success) or typing.get_origin(success) is not None


def identity_of(success: Success) -> dict[str, object]:
    """What it is in a manifest."""
    if isinstance(success, Judge):
        return success.identity()
    if is_type(success):
        return {"by": "schema", "schema": Output(cast("type[object]", success)).digest}
    return {"by": "predicate", "name": name_of(success), "source": source_hash(cast("Predicate", success))}


def whose(success: Success) -> str:
    """Whose word it is, for people."""
    if isinstance(success, Judge):
        return f"judge {success.name}"
    return f"{'schema' if is_type(success) else 'predicate'} {name_of(success)}"


def assess(success: Success, ended: EndedRun) -> Assessed:
    """What a predicate or a type says of a run; a predicate that raises, or gives no bool, says nothing."""
    by = whose(success)
    if is_type(success):
        fault = Output(cast("type[object]", success)).fault(bare(ended.answer))
        return Assessed(succeeded=not fault, by=by, reason=fault)
    try:
        said: object = cast("Predicate", success)(ended)
    except Exception as error:  # the predicate is the user's code
        return Assessed(succeeded=None, by=by, reason=storable(f"it raised {told(error)}"[:1000]))
    if not isinstance(said, bool):
        return Assessed(succeeded=None, by=by, reason=storable(f"it gave {said!r:.200}: give True or False"))
    return Assessed(succeeded=said, by=by)


def name_of(success: object) -> str:
    """What a function or type is called."""
    return str(getattr(success, "__qualname__", "") or getattr(success, "__name__", "") or repr(success))
