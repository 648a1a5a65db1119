"""Doors behind which nothing is imported before it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def lazily(door: str, modules: Mapping[str, Iterable[str]]) -> Callable[[str], object]:
    """The `__getattr__` of the module named `door`, which gives each name from the module that defines it.

    Args:
        modules: the names by their modules, which are named in full, or with a leading dot from the door's package.
    """
    package = door if hasattr(sys.modules[door], "__path__") else door.rpartition(".")[0]
    places = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {door!r} has no attribute {name!r}")
        found: object = getattr(import_module(places[name], package), name)
        setattr(sys.modules[door], name, found)
        return found

    return get
