"""What a tool says about the flow of information through it: static, per tool, written once by its developer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from .label import UNTRUSTED, Level
from .path import parse

Takes = Literal["trusted", "chosen", "named", "inert", "any"]

PLAN = "plan"
"""The stored label of a result that says that a plan was committed."""

FREE = "free"
"""The beginning of a stored label that names an argument which takes any text, and so selects nothing."""

READS = "reads"
"""The stored label of a result whose tool only reads: a planned call of it may be made more than once."""

_TAKES: Mapping[str, Level] = {level.name.lower(): level for level in Level}


def _paths(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        raise ValueError(f"trusted={value!r} is one text: give a list of paths, [{value!r}]")
    return tuple(value)  # type: ignore[arg-type]  # anything that is no iterable raises here


@frozen(kw_only=True)
class Labels:
    """The labels of a tool, for `@tool(risk=..., labels=Labels(...))`.

    A mail program that stamps the id and the sender of a mail, while anybody may write what is in it:

    >>> mail = Labels(trusted=["$[*].id", "$[*].sender"])
    >>> mail.stored("read_mail")
    ('untrusted read_mail', 'tool read_mail $[*].id', 'tool read_mail $[*].sender')

    Args:
        trusted: the places in the result that no outsider can write, as `$[*].id`; `$` is all of it. By default none.
        arguments: what each argument takes without a question in a call that the plan holds, by name: "trusted"
            (the default) only what the user, the developer or a trusted place gave, "chosen" also one of several such
            values, "named" also what the plan copies out of a place it has named, "inert" also prose and numbers that
            the model has written, without any address in it, "any" whatever it may be.
        guarded: whether calls are checked though the tool only reads, because its arguments leave the house (a URL).

    Raises:
        ValueError: a path or the name of a level is badly formed.
    """

    trusted: tuple[str, ...] = field(default=(), converter=_paths)
    arguments: Mapping[str, Takes] = field(factory=dict)
    guarded: bool = False
    plans: bool = field(default=False, repr=False)
    within: bool = field(default=False, repr=False)

    def __attrs_post_init__(self) -> None:
        for path in self.trusted:
            parse(path)
        for name, takes in self.arguments.items():
            if takes not in _TAKES:
                raise ValueError(f"argument {name!r} takes {takes!r}: choose from {', '.join(_TAKES)}")

    def takes(self, argument: str) -> Level:
        """The worst level that an argument takes without a question."""
        return _TAKES[self.arguments.get(argument, "trusted")]

    def stored(self, name: str) -> tuple[str, ...]:
        """The labels that are kept with each result of the tool of that name."""
        if self.plans:
            return (PLAN,)
        fields = tuple(f"tool {name} {path}" for path in self.trusted)
        free = tuple(f"{FREE} {argument}" for argument in self.arguments if self.takes(argument) >= Level.INERT)
        return (*(() if "$" in self.trusted else (f"{UNTRUSTED} {name}",)), *fields, *free)
