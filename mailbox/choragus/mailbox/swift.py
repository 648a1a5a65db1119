"""The short way from bytes to an object, for classes whose fields leave no doubt.

msgspec builds an attrs object itself, in a tenth of the time that the way over a dictionary takes. It is used where
both ways give the same: where a class is as attrs makes it, and its fields are plain. What does not fit takes the long
way, which also says what is wrong.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Literal, Union

import attrs
import msgspec

STABLE = "choragus.stable"
"""In the metadata of a field with a converter: what the converter has given it gives again, so it is not called when
the value comes back from where it was stored.
"""

_PLAIN = (str, bytes, int, float, bool, object, type(None))
_SEVERAL = (list, tuple)
_made: dict[type, Callable[[bytes], object] | None] = {}


def decoder_of(cls: type) -> Callable[[bytes], object] | None:
    """What decodes JSON into the class; None when only the long way is sure.

    It raises where the long way may still find a value, a number that was written as text say.
    """
    try:
        return _made[cls]
    except KeyError:
        is_sure = attrs.has(cls) and _is_plain(cls, frozenset())
        _made[cls] = msgspec.json.Decoder(cls).decode if is_sure else None
        return _made[cls]


def _is_plain(hint: object, above: frozenset[type]) -> bool:
    if isinstance(hint, type) and not hasattr(hint, "__origin__"):
        if attrs.has(hint):
            return hint in above or _is_plain_class(hint, above | {hint})
        return hint in _PLAIN or _is_plain_enum(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return all(type(arg) is str for arg in args)
    if origin in (Union, types.UnionType):
        return len(args) == 2 and type(None) in args and all(_is_plain(arg, above) for arg in args)
    if origin in _SEVERAL:
        return bool(args) and all(arg is ... or _is_plain(arg, above) for arg in args)
    return origin is dict and args[0] is str and _is_plain(args[1], above)


def _is_plain_enum(hint: type) -> bool:
    return issubclass(hint, Enum) and hint.__bases__ == (Enum,) and all(type(one.value) is str for one in hint)


def _is_plain_class(cls: type, above: frozenset[type]) -> bool:
    """Whether msgspec makes one as attrs does; it calls validators and `__attrs_post_init__`, but no converters."""
    made = getattr(cls.__init__, "__code__", None)  # type: ignore[misc]  # looked at, not called
    if made is None or not made.co_filename.startswith("<attrs generated") or _keeps_its_hash(made):
        return False
    try:
        hints = typing.get_type_hints(cls)
    except (NameError, TypeError):
        return False
    return all(_is_plain_field(field) and _is_plain(hints.get(field.name), above) for field in attrs.fields(cls))


def _is_plain_field(field: attrs.Attribute[object]) -> bool:
    bare = field.init and field.alias == field.name and (field.converter is None or STABLE in field.metadata)
    return bare and not getattr(field.default, "takes_self", False)


def _keeps_its_hash(made: types.CodeType) -> bool:
    return any("cached_hash" in name for name in (*made.co_names, *(one for one in made.co_consts if type(one) is str)))
