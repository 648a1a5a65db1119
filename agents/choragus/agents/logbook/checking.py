"""Whether an entry is as its kind is declared, and what of it is no content."""

from __future__ import annotations

from collections.abc import Mapping

from .table import KINDS

FORMS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "any": (object,),
}


def complaints(kind: str, data: Mapping[str, object]) -> list[str]:
    """In what an entry is not as declared, one sentence each; a kind that is not declared is one."""
    declared = KINDS.get(kind)
    if declared is None:
        return [f"kind {kind!r} is not declared"]
    found = [f"{kind} has no {name}" for name in declared.fields if name not in data]
    known = declared.all
    for name, value in data.items():
        field = known.get(name)
        if field is None:
            found.append(f"{kind} has {name!r}, which is not declared")
        elif not _is_of(value, field.form):
            found.append(f"{kind} has {name!r} as {type(value).__name__}, declared as {field.form}")
    return found


def without_content(kind: str, data: Mapping[str, object], *, people: bool = True) -> dict[str, object]:
    """What an entry says without what people, models and tools have said; of a kind not declared, nothing.

    Args:
        people: with the fields that name a person.
    """
    declared = KINDS.get(kind)
    if declared is None:
        return {}
    kept = {name for name, field in declared.all.items() if not field.content and (people or not field.personal)}
    return {name: value for name, value in data.items() if name in kept}


def _is_of(value: object, form: str) -> bool:
    if form == "any":
        return True
    return isinstance(value, FORMS[form]) and (form == "bool" or not isinstance(value, bool))
