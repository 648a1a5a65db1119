"""What an agent is told before the conversation starts: a text, or a template with variables and nothing else."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from attrs import Attribute, evolve, field, frozen

from .errors import AgentFault

FENCE = "+++"
"""The line before and behind the front matter of a file."""

INLINE = "inline"
"""The name of a prompt that has none."""

KEYS = frozenset({"name", "version", "variables", "defaults"})

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARK = re.compile(r"\{\{\{\{|\{\{[ \t]*([A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}|\{\{")
"""A literal `{{`, written twice; a variable; or something else that begins as one, and is a mistake."""


def _is_text(prompt: object, attribute: Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise AgentFault(f"Prompt({attribute.name}={value!r}) is no text: give a str, or use Prompt.from_file(path)")


@frozen
class Prompt:
    """A text with a name for people and a digest for the manifest.

    Two prompts of one text are the same to a run, whatever their names and versions say. `Prompt(text)` is that text,
    braces and all. A file may be a template, whose variables get their values by `Agent(variables={...})` or by
    `rendered`; see `docs/prompts.md`. `given` are the values that the text was made with, None before that.

    >>> Prompt("Be brief.").digest
    '213c22ed7234'
    """

    text: str = field(validator=_is_text)
    name: str = field(default=INLINE, validator=_is_text)
    version: str = field(default="", validator=_is_text)
    template: Template | None = field(default=None, kw_only=True, repr=False, eq=False)
    given: Mapping[str, object] | None = field(default=None, kw_only=True, repr=False, eq=False)

    @classmethod
    def from_file(cls, path: str | Path) -> Prompt:
        """The prompt in a UTF-8 file, whatever line ends it has.

        Between two lines `+++` at its head stand TOML's `name` (by default the file's), `version`, `variables` (a list
        of names) and `defaults` (a table of names and texts). What follows is the template, in which `{{name}}` stands
        for a variable's value. A file without such a head is its text, named after it.

        Raises:
            OSError: the file cannot be read.
            AgentFault: the file is not UTF-8, its head is none, or a variable is used that it does not declare.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise AgentFault(f"prompt file {str(path)!r} is not UTF-8 ({error.reason}): save it as UTF-8") from error
        return _parsed(text, path)

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the text's SHA-256."""
        return _digest(self.text)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables of its template, in the order of their declaration."""
        return self.template.names if self.template else ()

    def rendered(self, **values: str) -> Prompt:
        """The prompt with these values for its variables, each in one piece: nothing in a value is looked at.

        Raises:
            AgentFault: a variable has neither value nor default, a value is for no variable, or is no text.
        """
        return self.with_values(values)

    def with_values(self, values: Mapping[str, object]) -> Prompt:
        """`rendered`, with the values as a mapping; those that it was rendered with before stay where none is new."""
        if not isinstance(values, Mapping):
            raise AgentFault(f"the variables {values!r} of prompt {self.name!r} are no mapping of names to texts")
        if self.template is not None:
            every = {**(self.given or {}), **values}
            return evolve(self, text=self.template.filled(every), given=every)
        Template(self.text, place=f"prompt {self.name!r}").values(values)
        return self

    def said(self) -> dict[str, object]:
        """What the logbook says of it with each model call; nothing of none, of a text in code its digest only."""
        if not self.text:
            return {}
        told = {
            "digest": self.digest,
            "name": "" if self.name == INLINE else self.name,
            "version": self.version,
            "template": self.template.digest if self.template else "",
        }
        return {name: each for name, each in told.items() if each}


@frozen
class Template:
    """A text with variables: those in `names` must be given, unless `defaults` has them; `place` is for errors."""

    text: str
    names: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(factory=dict)
    place: str = "the prompt"

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of its SHA-256."""
        return _digest(self.text)

    def filled(self, given: Mapping[str, object]) -> str:
        """The text with the values in place of the variables.

        Raises:
            AgentFault: as `Prompt.rendered`.
        """
        values = self.values(given)
        return _MARK.sub(lambda mark: "{{" if mark[1] is None else values[mark[1]], self.text)

    def values(self, given: Mapping[str, object]) -> dict[str, str]:
        """A value for each variable: the one that is given, or the default.

        Raises:
            AgentFault: as `Prompt.rendered`.
        """
        values = dict(self.defaults)
        for name, value in given.items():
            if name not in self.names:
                raise AgentFault(f"{self.place} has no variable {name!r}: {self._has()}, so leave it out or declare it")
            if not isinstance(value, str):
                raise AgentFault(f"the variable {name!r} of {self.place} is {value!r}: give a text")
            values[name] = value
        missing = [name for name in self.names if name not in values]
        if missing:
            raise AgentFault(
                f"the variable {missing[0]!r} of {self.place} has no value: give it in Agent(variables={{...}}) or "
                "Prompt.rendered(...), or a default in the file"
            )
        return values

    def check(self, first: int = 1) -> None:
        """Refuse marks that are none, names that are not declared, and declarations that are not used.

        Args:
            first: the number of its first line, for errors.

        Raises:
            AgentFault: with the first of them.
        """
        used: set[str] = set()
        for mark in _MARK.finditer(self.text):
            where = f"{self.place}, line {first + self.text.count(chr(10), 0, mark.start())}"
            if mark[1] is not None and mark[1] not in self.names:
                raise AgentFault(
                    f"{where}: {mark[1]!r} is not declared: name it in `variables` or `defaults` between two lines "
                    f"{FENCE} at the head of the file, or write {{{{{{{{ for a literal {{{{"
                )
            if mark[0] == "{{":
                raise AgentFault(
                    f"{where}: what begins there is no variable: only {{{{name}}}} is replaced, and nothing is "
                    "evaluated; write {{{{ for a literal {{"
                )
            used.add(mark[1] or "")
        unused = [name for name in self.names if name not in used]
        if unused:
            raise AgentFault(f"{self.place} declares {unused[0]!r} and never uses it: leave it out, or use it")

    def _has(self) -> str:
        return f"it has {', '.join(self.names)}" if self.names else "it has none"


def _parsed(text: str, path: Path) -> Prompt:
    place = f"prompt file {str(path)!r}"
    head, body, first = _split(text, place)
    unknown = sorted(head.keys() - KEYS)
    if unknown:
        raise AgentFault(f"{place}: {unknown[0]!r} is nothing that a prompt has: choose from {', '.join(sorted(KEYS))}")
    name, version = head.get("name", path.name), head.get("version", "")
    if not isinstance(name, str) or not isinstance(version, str):
        raise AgentFault(f"{place}: name={name!r} and version={version!r} must both be text: put quotes around them")
    names, defaults = _declared(head, place)
    template = Template(body, names, defaults, place)
    if first == 1 and not any(mark[1] for mark in _MARK.finditer(body)):
        return Prompt(body, name)
    template.check(first)
    made = Prompt(body, name, version, template=template)
    return made.rendered() if names == tuple(defaults) else made


def _split(text: str, place: str) -> tuple[dict[str, object], str, int]:
    """The front matter, the text behind it, and the number of the text's first line."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        return {}, text, 1
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        raise AgentFault(f"{place}: the front matter that begins in line 1 has no end: write a line {FENCE} behind it")
    try:
        return tomllib.loads("\n" + "\n".join(lines[1:end])), "\n".join(lines[end + 1 :]), end + 2
    except (ValueError, RecursionError) as error:  # no TOML, or a number or a depth that nobody reads
        raise AgentFault(f"{place}: the front matter is no TOML: {error}") from None


def _declared(head: Mapping[str, object], place: str) -> tuple[tuple[str, ...], dict[str, str]]:
    names, defaults = head.get("variables", []), head.get("defaults", {})
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise AgentFault(f"{place}: variables={names!r} is no list of names: write variables = ['company']")
    if not isinstance(defaults, dict) or not all(isinstance(value, str) for value in defaults.values()):
        raise AgentFault(f"{place}: defaults={defaults!r} is no table of texts: write [defaults] and tone = 'plain'")
    both = sorted(set(names) & set(defaults))
    if both:
        raise AgentFault(f"{place}: {both[0]!r} stands among both variables and defaults: leave it in [defaults] only")
    every = (*dict.fromkeys(map(str, names)), *map(str, defaults))
    _check_names(every, place)
    return every, {str(name): str(value) for name, value in defaults.items()}


def _check_names(names: Iterable[str], place: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise AgentFault(
                f"{place}: {name!r} is no name for a variable: use letters, digits and '_', no digit first"
            )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
