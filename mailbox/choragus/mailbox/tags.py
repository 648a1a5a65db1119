"""Where the classes of stored values are defined, so that a value can be read whose class was not imported yet.

Only what a table names is ever imported, never what a file says: a tag is looked up and nothing else. The tables are
read once there is a codec, so that a tag that no table has imports nothing at all.
"""

from __future__ import annotations

from importlib import import_module

_tables: list[str] = []
_places: dict[str, str] = {}
_is_reading = False


def declare_tags(table: str) -> None:
    """Have tags looked up in a module too: in its `TAGS`, the modules by the tags that they define."""
    _tables.append(table)
    if _is_reading:
        _read()


def read_tables() -> None:
    """Read the tables that are declared, and from now on each that will be."""
    global _is_reading  # there is one codec
    _is_reading = True
    _read()


def import_tag(tag: str) -> None:
    """Import the module that defines what is stored under that name, if a table names it."""
    if tag in _places:
        import_module(_places[tag])


def _read() -> None:
    while _tables:
        _places.update(import_module(_tables.pop()).TAGS)
