"""Where an agent's code comes from: versions and revisions. It is recorded, and never decides anything."""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from types import ModuleType

from attrs import evolve, field, frozen

from choragus.agents.agent import Agent

from .revision import Revision, revision, tree_of

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_OURS = "choragus"


@frozen(kw_only=True)
class Provenance:
    """What an agent ran on beside its identity. Two that are equal have one hash.

    Args:
        choragus: its version; "" when it is not installed.
        python: such as "3.11.7", and `implementation` such as "CPython".
        packages: the versions of the installed packages that choragus, and the modules of the agent's code, come from
            or import, by name.
        code: the revision of each git working tree that the agent's code lies in.
    """

    choragus: str
    python: str
    implementation: str
    packages: Mapping[str, str] = field(factory=dict)
    code: tuple[Revision, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """All of it in JSON types."""
        return {
            "choragus": self.choragus,
            "python": self.python,
            "implementation": self.implementation,
            "packages": dict(sorted(self.packages.items())),
            "code": [{"commit": one.commit, "dirty": one.dirty} for one in self.code],
        }

    @cached_property
    def hash(self) -> str:
        """SHA-256 (64 hexadecimal digits) of that as JSON with sorted keys."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


_KNOWN: dict[frozenset[str], Provenance] = {}
"""What was read in this process, by modules: it stays, as does the code that it tells of."""


def known_provenance(agent: Agent[object]) -> Provenance | None:
    """That of the agent if it was read before in this process."""
    return _KNOWN.get(code_of(agent))


def bare_provenance() -> Provenance:
    """What can be told without reading much."""
    return Provenance(
        choragus=_version(_OURS) or "",
        python=platform.python_version(),
        implementation=platform.python_implementation(),
    )


def provenance(agent: Agent[object]) -> Provenance:
    """Of the agent as it is in this process. It reads files, up to a second the first time: not for the event loop."""
    names = code_of(agent)
    if names not in _KNOWN:
        _KNOWN[names] = _read(names)
    return _KNOWN[names]


def _read(names: frozenset[str]) -> Provenance:
    modules = [module for name in sorted(names) if (module := sys.modules.get(name)) is not None]
    trees = {top for module in modules if (top := _tree(module)) is not None}
    found = [standing for top in sorted(trees) if (standing := _revision(top)) is not None]
    return evolve(
        bare_provenance(),
        packages={**_of_ours(), **_packages(modules)},
        code=tuple(sorted(found, key=lambda one: one.commit)),
    )


def code_of(agent: Agent[object]) -> frozenset[str]:
    """The names of the modules that an agent's code is in: its tools, policies, models and types."""
    tools = [one for tool in agent.tools for one in (tool, *tool.companions)]
    parts: list[object] = [inspect.unwrap(tool.function) for tool in tools if inspect.isroutine(tool.function)]
    parts += [type(one) for one in (*agent.policies, *agent.models)]
    parts += [agent.output]
    named = {str(getattr(one, "__module__", "")) for one in parts}
    own = frozenset(name for name in named if name.partition(".")[0] not in (_OURS, "builtins", ""))
    return own or frozenset({"__main__"})


def _packages(modules: Iterable[ModuleType]) -> dict[str, str]:
    """The versions of what these modules come from, and of what stands in them by import."""
    tops = {name for module in modules for name in _tops(module)}
    found: dict[str, str] = {}
    for top in sorted(tops):
        for name in _distributions(top):
            version = _version(name)
            if version is not None:
                found[_canonical(name)] = version
    return found


def _tops(module: ModuleType) -> set[str]:
    named = {module.__name__}
    for value in list(vars(module).values()):
        named.add(value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", "") or ""))
    return {name.partition(".")[0] for name in named} - sys.stdlib_module_names - {_OURS, "__main__", ""}


@cache
def _distributions(top: str) -> tuple[str, ...]:
    """The packages that a module comes from: mostly one of its own name; the rest is looked for in all of them."""
    if _version(top) is not None:
        return (top,)
    return tuple(_all().get(top, ()))


@cache
def _all() -> Mapping[str, list[str]]:
    try:
        return metadata.packages_distributions()
    except Exception:  # what is installed may be broken in any way, and nothing hangs on it
        return {}


@cache
def _of_ours() -> dict[str, str]:
    """What choragus itself needs, as far as it is installed."""
    try:
        wanted = metadata.requires(_OURS) or []
    except Exception:  # as above
        return {}
    names = {_canonical(named[0]) for one in wanted if (named := _NAME.match(one)) and "extra ==" not in one}
    return {name: version for name in names if (version := _version(name)) is not None}


@cache
def _version(name: str) -> str | None:
    try:
        found: object = metadata.version(name)
    except Exception:  # as above
        return None
    return found if isinstance(found, str) else None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _tree(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or {"site-packages", "dist-packages"} & set(Path(file).parts):
        return None
    return _tree_of(str(Path(file).absolute()))


@cache
def _tree_of(file: str) -> Path | None:
    return tree_of(Path(file))


@cache
def _revision(top: Path) -> Revision | None:
    return revision(top)
