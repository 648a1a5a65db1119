"""Policies from a TOML file: the built-in ones with their settings, and rules.

[risk]
reversible = "ask"

[[rule]]
name = "large-payments"
tools = ["pay*"]
arguments.amount = { above = 100 }
verdict = "ask"
reason = "more than 100: a second pair of eyes"
approvers = ["treasurer"]
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from attrs import frozen

from choragus.agents.errors import AgentFault, PolicyFault
from choragus.agents.flow.policy import InformationFlow

from .chain import Policy
from .check import Stage
from .decision import DECISIONS, Decision
from .loop import LoopPolicy
from .predicate import Holds, negated, predicate, words
from .rate import RatePolicy
from .redaction import RedactionPolicy
from .risk import RiskPolicy
from .rule import Condition, RulePolicy
from .unusual import NewToolPolicy, PlanPolicy, UnusualArgumentsPolicy, UnusualSpendingPolicy

RULE = (
    "name",
    "verdict",
    "reason",
    "approvers",
    "stage",
    "tools",
    "agents",
    "risk",
    "arguments",
    "text",
)
RISKS = ("read", "reversible", "irreversible")
WHOLE = frozenset({"longer_than"})
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HEAD = re.compile(r"[ \t]*\[\[[ \t]*([^\[\]]+?)[ \t]*\]\]")
_SETTINGS: dict[str, tuple[Callable[..., Policy], tuple[str, ...]]] = {
    "risk": (RiskPolicy, ("read", "reversible", "irreversible")),
    "loop": (LoopPolicy, ("times", "warnings", "then", "polls")),
    "rate": (RatePolicy, ("calls", "within", "tools", "agents", "then", "name")),
    "new-tool": (NewToolPolicy, ("then", "least", "risks")),
    "unusual-arguments": (UnusualArgumentsPolicy, ("then", "least", "risks")),
    "unusual-spending": (UnusualSpendingPolicy, ("then", "least")),
    "plan": (PlanPolicy, ("order", "then", "risks")),
    "redaction": (RedactionPolicy, ("kinds", "stages")),
    "flow": (InformationFlow, ("unplanned", "arguments", "output", "vouch")),
}


def load_policies(source: str | os.PathLike[str], *, name: str = "policies") -> list[Policy]:
    """The policies of a file, or of a text with at least one line break; the file's order is kept among rules.

    The built-in ones come first, rules behind them, each with a hash of its content as version.

    Args:
        source: a path, or the text itself.
        name: what a text is called in errors; a file is called by its path.

    Raises:
        PolicyFault: when anything in it is wrong, missing or unknown. Nothing is loaded then.
        OSError: when the file cannot be read.
    """
    if isinstance(source, str) and "\n" in source:
        place, read = name, source.encode("utf-8", "surrogatepass")
    else:
        place, read = os.fspath(source), Path(source).read_bytes()
    try:
        text = read.decode("utf-8-sig")
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or a number or a depth that nobody reads
        raise PolicyFault(place, f"no TOML: {error}") from None
    return read_policies(place, text, document)


def read_policies(place: str, text: str, document: Mapping[str, object], under: str = "") -> list[Policy]:
    """The policies of tables that stand in the text of a file, `under` a path such as "policies.".

    Raises:
        PolicyFault: as `load_policies`.
    """
    return list(_Reader(place, text, document, under).policies())


@frozen
class _Reader:
    """One document; errors say the file, the line of the table's head, and the path in it."""

    place: str
    text: str
    document: Mapping[str, object]
    under: str = ""

    def policies(self) -> Iterator[Policy]:
        known = (*_SETTINGS, "rule")
        _only(f"{self.place}: {self.under}".removesuffix(": ").removesuffix("."), self.document, known)
        for section, (make, keys) in _SETTINGS.items():
            for where, table in self._tables(section, many=section == "rate"):
                yield self._built_in(where, table, make, keys)
        tables = list(self._tables("rule", many=True))
        yield from (self._rule(where, table) for where, table in tables)
        names = [str(table.get("name")) for _, table in tables]
        names += [str(table.get("name", "rate")) for _, table in self._tables("rate", many=True)]
        names += [one for one in self.document if one not in ("rate", "rule")]
        twice = [one for one, times in Counter(names).items() if times > 1]
        if twice:
            raise PolicyFault(self.place, f"two policies are named {twice[0]!r}: rename one")

    def _tables(self, section: str, *, many: bool) -> Iterator[tuple[str, Mapping[str, object]]]:
        if section not in self.document:
            return
        found = self.document[section]
        listed = found if many else [found]
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            head = f"[[{self.under}{section}]]" if many else f"[{self.under}{section}]"
            raise PolicyFault(f"{self.place}: {self.under}{section}", f"write {head} as a line of its own")
        lines = [at for at, line in enumerate(self.text.splitlines(), 1) if _is_head(line, self.under + section)]
        for index, table in enumerate(listed):
            line = f":{lines[index]}" if index < len(lines) else ""
            yield f"{self.place}{line}: {self.under}{section}" + (f"[{index}]" if many else ""), table

    def _built_in(
        self, where: str, table: Mapping[str, object], make: Callable[..., Policy], keys: tuple[str, ...]
    ) -> Policy:
        _only(where, table, keys)
        settings = {
            key: _strings(f"{where}.{key}", one) if isinstance(one, list) else one for key, one in table.items()
        }
        if "stages" in settings:
            settings["stages"] = frozenset(_stage(f"{where}.stages", one) for one in _listed(settings["stages"]))
        if "name" in settings:
            _name(where, settings["name"])
        try:
            return make(**settings)
        except (AgentFault, TypeError) as error:
            raise PolicyFault(where, str(error)) from None

    def _rule(self, where: str, table: Mapping[str, object]) -> RulePolicy:
        _only(where, table, RULE)
        name = _name(where, table.get("name"))
        verdict = _verdict(where, table.get("verdict"))
        reason = table.get("reason")
        if not isinstance(reason, str) or not reason.strip():
            raise PolicyFault(f"{where}.reason", "give a text: whoever is refused or asked reads it")
        approvers = _strings(f"{where}.approvers", table.get("approvers", []))
        if approvers and verdict not in ("ask", "escalate"):
            raise PolicyFault(f"{where}.approvers", f"nobody is asked by verdict = {verdict!r}: leave it out")
        stage = _stage(f"{where}.stage", table.get("stage", "call"))
        risks = _strings(f"{where}.risk", table.get("risk", []))
        strange = [one for one in risks if one not in RISKS]
        if strange:
            raise PolicyFault(f"{where}.risk", f"{strange[0]!r} is none of {', '.join(RISKS)}")
        if stage is not Stage.CALL and ("arguments" in table or risks):
            raise PolicyFault(where, f"stage {stage.value!r} has no arguments and no risk: only 'call' has")
        return RulePolicy(
            name=name,
            version=hashlib.sha256(msgspec.json.encode(table, order="sorted", enc_hook=str)).hexdigest()[:16],
            verdict=verdict,
            reason=reason,
            approvers=approvers,
            stage=stage,
            tools=_strings(f"{where}.tools", table.get("tools", ["*"])) or _none(f"{where}.tools"),
            agents=_strings(f"{where}.agents", table.get("agents", ["*"])) or _none(f"{where}.agents"),
            risks=risks,
            conditions=tuple(_conditions(where, table)),
        )


def _is_head(line: str, section: str) -> bool:
    found = _HEAD.match(line)
    return (found is not None and found[1] == section) or line.strip() == f"[{section}]"


def _only(where: str, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise PolicyFault(f"{where}.{unknown[0]}", f"unknown key; known are {', '.join(known)}")


def _name(where: str, name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise PolicyFault(f"{where}.name", f"{name!r} is no name: give 1 to 64 letters, digits, '_', '.' or '-'")
    return name


def _verdict(where: str, verdict: object) -> Decision:
    for one in DECISIONS:
        if verdict == one:
            return one
    raise PolicyFault(f"{where}.verdict", f"{verdict!r} is none of {', '.join(DECISIONS)}")


def _stage(where: str, stage: object) -> Stage:
    for one in Stage:
        if stage == one.value:
            return one
    raise PolicyFault(where, f"{stage!r} is none of {', '.join(one.value for one in Stage)}")


def _listed(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,)


def _strings(where: str, value: object) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise PolicyFault(where, f"{value!r} is no list of texts")
    return tuple(found)


def _none(where: str) -> tuple[str, ...]:
    raise PolicyFault(where, "an empty list is about nothing: leave it out for all")


def _conditions(where: str, table: Mapping[str, object]) -> Iterator[Condition]:
    if "arguments" in table:
        yield from _below(f"{where}.arguments", (), table["arguments"])
    if "text" in table:
        yield _condition(f"{where}.text", (), table["text"])


def _below(where: str, path: tuple[str, ...], table: object) -> Iterator[Condition]:
    """A table whose keys are all words of predicates is a condition; one without any of these goes on to others."""
    if not isinstance(table, Mapping) or not table:
        raise PolicyFault(
            where, f"{table!r} is no condition: write {{ equals = ... }} or another of {', '.join(words())}"
        )
    known = [key in words() for key in table]
    if path and any(known):
        yield _condition(where, path, table)
        return
    for name, below in table.items():
        yield from _below(f"{where}.{name}", (*path, name), below)


def _condition(where: str, path: tuple[str, ...], table: object) -> Condition:
    if not isinstance(table, Mapping) or not table:
        raise PolicyFault(where, f"{table!r} is no condition: write {{ contains = ... }} or the like")
    items, whole, presence = [], [], []
    for word, wanted in table.items():
        test = _test(where, word, wanted)
        if word == "missing":
            presence.append(test)
        elif word in WHOLE:
            whole.append(test)
        else:
            items.append(test)
    return Condition(path, tuple(items), tuple(whole), tuple(presence))


def _test(where: str, word: str, wanted: object) -> Holds:
    if word == "not":
        if not isinstance(wanted, Mapping) or not wanted or "missing" in wanted or "not" in wanted:
            raise PolicyFault(f"{where}.not", "write { not = { ... } } with words other than missing and not")
        return negated([_test(f"{where}.not", one, inner) for one, inner in wanted.items()])
    try:
        return predicate(word, wanted)
    except LookupError:
        raise PolicyFault(f"{where}.{word}", f"unknown word; known are {', '.join(words())}") from None
    except AgentFault as error:
        raise PolicyFault(f"{where}.{word}", str(error)) from None
    except TypeError as error:
        raise PolicyFault(f"{where}.{word}", f"{wanted!r} will not do: give {error}") from None
    except ValueError as error:
        raise PolicyFault(f"{where}.{word}", str(error)) from None
