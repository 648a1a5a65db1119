"""A value of which a file says some fields, and the code those that no file can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs
from attrs import NOTHING, Attribute, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.model import Model

from .spot import Spot
from .summary import SummaryBy
from .value import made

T = TypeVar("T")


@frozen
class Partial(Generic[T]):
    """Fields of an attrs class, as they stand in the file."""

    cls: type[T]
    fields: Mapping[str, object]

    def joined(self, spot: Spot, given: object, models: Mapping[str, Model]) -> T:
        """The whole value: the file's fields, and of the code's value what the file does not say.

        Raises:
            ConfigFault: when both say a field, and not the same; or it is missing; or the whole cannot be.
        """
        said = {name: _made(spot.at(name), value, models) for name, value in self.fields.items()}
        if given is None:
            self._check_whole(spot)
        elif isinstance(given, self.cls):
            self._check_same(spot, given, said)
            said = {one.name: said.get(one.name, getattr(given, one.name)) for one in self._known()}
        else:
            raise spot.fault(f"the code gives {given!r}: give {self.cls.__name__}(...), or nothing")
        return made(self.cls, spot, said)

    def _check_whole(self, spot: Spot) -> None:
        for one in self._known():
            if one.default is NOTHING and one.name not in self.fields:
                raise spot.fault(f"{one.name} is missing: write {one.name} = ..., or give it in code")

    def _check_same(self, spot: Spot, given: T, said: Mapping[str, object]) -> None:
        """A field of the code's that is as by default counts as not said."""
        needed = {one.name: getattr(given, one.name) for one in self._known() if one.default is NOTHING}
        plain = self.cls(**needed)
        for name, value in said.items():
            other = getattr(given, name)
            is_default = name not in needed and other == getattr(plain, name)
            if other != value and not is_default:
                raise spot.at(name).fault(
                    f"the code gives {name}={other!r}, and the file {value!r}: say it in one place"
                )

    def _known(self) -> tuple[Attribute[object], ...]:
        found: tuple[Attribute[object], ...] = attrs.fields(self.cls)  # type: ignore[arg-type]  # an attrs class
        return found


def _made(spot: Spot, value: object, models: Mapping[str, Model]) -> object:
    if isinstance(value, tuple):
        return tuple(_made(spot.item(index), one, models) for index, one in enumerate(value))
    try:
        return value.made(models) if isinstance(value, SummaryBy) else value
    except AgentFault as error:
        raise spot.at("model").fault(f"{error}; or give the model that it stands for in models=") from None
