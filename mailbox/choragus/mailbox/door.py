"""Doors behind which nothing is imported before it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def lazily(door: str, modules: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """The `__getattr__` of the module named `door`, which gives each name from the module in its package that has it.

    Args:
        modules: the names by the module that defines them, relative to the package in which the door stands.
    """
    package = door.rpartition(".")[0]
    places = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {door!r} has no attribute {name!r}")
        found: object = getattr(import_module(f"{package}.{places[name]}"), name)
        setattr(sys.modules[door], name, found)
        return found

    return get
