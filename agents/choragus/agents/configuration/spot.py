"""A place in a TOML file, for errors: the file, the line, and the path. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

from attrs import evolve, frozen

from choragus.agents.errors import ConfigFault

Path = tuple[str, ...]

_HEAD = re.compile(r"[ \t]*\[(\[?)([^\[\]#]+)\]?\][ \t]*(#.*)?")
_INDEX = re.compile(r"\[\d+\]$")
_KEY = re.compile(r"[ \t]*([^=#\[\]{}]+?)[ \t]*=")


@frozen
class Spot:
    """One place; `lines` has those of the tables and keys of the file, as far as they are found."""

    file: str
    lines: Mapping[Path, int]
    path: Path = ()
    text: str = ""
    """All that stands in the file."""

    def at(self, *keys: str) -> Spot:
        """The place below this one."""
        return evolve(self, path=(*self.path, *keys))

    def item(self, index: int) -> Spot:
        """The place of one thing in the list that is here."""
        return evolve(self, path=(*self.path[:-1], f"{self.path[-1]}[{index}]"))

    def fault(self, detail: str) -> ConfigFault:
        """What is wrong here."""
        return ConfigFault(str(self), detail)

    def __str__(self) -> str:
        path = tuple(_INDEX.sub("", key) for key in self.path)
        above = (path[:end] for end in range(len(path), 0, -1))
        line = next((self.lines[path] for path in above if path in self.lines), 0)
        where = f"{self.file}:{line}" if line else self.file
        return f"{where}: {'.'.join(self.path)}" if self.path else where


def spots(file: str, text: str) -> Spot:
    """The whole file."""
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        head, key = _HEAD.fullmatch(line), _KEY.match(line)
        if head is not None:
            table = _path(head[2])
            for end in range(1, len(table) + 1):
                lines.setdefault(table[:end], number)
        elif key is not None:
            lines.setdefault((*table, *_path(key[1])), number)
    return Spot(file, lines, text=text)


def _path(key: str) -> Path:
    """The parts of a dotted key; nothing when it is none, in the middle of a long text say."""
    try:
        value: object = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    parts: list[str] = []
    while isinstance(value, dict):
        ((name, value),) = value.items()
        parts.append(name)
    return tuple(parts)
