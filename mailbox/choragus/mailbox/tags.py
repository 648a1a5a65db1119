"""Where the classes of stored values are defined, so that a value can be read whose class was not imported yet."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

_tables: dict[str, None] = {}


def declare_tags(table: str) -> None:
    """Have tags looked up in a module too, once one is not known: in its `TAGS`, modules by the tags they define."""
    _tables[table] = None


def import_tag(tag: str) -> None:
    """Import the module that defines what is stored under that name, if a table names it."""
    for table in tuple(_tables):  # an import may declare another
        tags: Mapping[str, str] = import_module(table).TAGS
        if tag in tags:
            import_module(tags[tag])
