"""The identity of a function: a hash of its source."""

from __future__ import annotations

import hashlib
import inspect
import types
from collections.abc import Callable, Sequence


def source_hash(function: Callable[..., object]) -> str:
    """SHA-256 of the function's source as it is now; of its bytecode where there is none."""
    plain = inspect.unwrap(function)
    try:
        if plain.__code__.co_filename == "<string>":  # Python 3.13 would give the text of `python -c`, whatever was run
            raise OSError
        text = inspect.getsource(plain).encode("utf-8", "surrogatepass")
    except (OSError, TypeError):
        text = _bytecode(plain.__code__)
    return hashlib.sha256(text).hexdigest()


def identity(own: str, others: Sequence[str]) -> str:
    """The hash of a function, and of those that help it; without such it is its own."""
    return hashlib.sha256(" ".join([own, *others]).encode()).hexdigest() if others else own


def _bytecode(code: types.CodeType) -> bytes:
    names = repr((code.co_names, code.co_varnames)).encode()
    return b"\0".join([code.co_code, names, *(_constant(each) for each in code.co_consts)])


def _constant(value: object) -> bytes:
    if isinstance(value, types.CodeType):
        return _bytecode(value)
    # A frozenset of text has another order in each process.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value).encode()
