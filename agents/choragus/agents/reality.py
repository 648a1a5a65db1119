"""Whether real models may be called: a switch that a test suite turns off, for the whole process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ModelError
from .model import Model

FORBID = "CHORAGUS_FORBID_REAL_CALLS"
"""The environment variable that forbids them, unless it is empty or 0."""

_forbidding: list[object] = []


class RealCallForbidden(ModelError):
    """Raised when something real is about to be called, and a switch forbids it; nothing was called.

    Args:
        what: what it is, for people.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is real, and real calls are forbidden here (by forbid_real_calls() or {FORBID}=1): give a "
            "ScriptedModel, a FunctionModel or a recording in its place",
            kind="forbidden",
        )
        self.args = (what,)
        self.what = what


@contextmanager
def forbid_real_calls() -> Iterator[None]:
    """As long as it is open no real model is called, in no thread and by no runtime of this process.

    A run that comes to such a call fails, with `RealCallForbidden`'s text. Real is every model that does not say
    otherwise by an attribute `is_real = False`, as scripts, functions and recordings that are replayed do.
    """
    token = object()
    _forbidding.append(token)
    try:
        yield
    finally:
        _forbidding.remove(token)


def check_real_calls_allowed(what: str) -> None:
    """For whoever calls what is real: refuse, where real calls are forbidden.

    Args:
        what: what is about to be called, such as "the bank at bank.example".

    Raises:
        RealCallForbidden: they are.
    """
    if _forbidding or os.environ.get(FORBID, "0") not in ("", "0"):
        raise RealCallForbidden(what)


def is_real(model: Model) -> bool:
    """Whether calling the model reaches something real: yes, unless it says no."""
    return bool(getattr(model, "is_real", True))


def check_model_allowed(model: Model) -> None:
    """Refuse to call a real model, where real calls are forbidden.

    Raises:
        RealCallForbidden: it is real, and they are.
    """
    if is_real(model):
        check_real_calls_allowed(f"model {model.name!r} of {model.provider}")
