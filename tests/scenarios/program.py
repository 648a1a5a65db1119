"""Programs of what happens to durable actors: what a host sends, time, crashes, and the person who mends things."""

from __future__ import annotations

import attrs
from attrs import frozen
from hypothesis import strategies as st

from .player import FOREVER, Act, Script

PLAYERS = "abc"
IN_EFFECT = "in effect"
POINTS = ("before commit", "after commit", IN_EFFECT)


@frozen
class Tell:
    """`tell`; and then at once the next step, before anything is on disk, unless `rests`."""

    to: str
    script: Script
    rests: bool = True


@frozen
class Send:
    to: str
    script: Script
    rests: bool = True


@frozen
class AskFor:
    to: str
    script: Script
    key: str = ""
    timeout: float = 30.0
    rests: bool = True


@frozen
class Pass:
    """Time passes."""

    seconds: float


@frozen
class CrashAt:
    """The process dies at that point, when it has been passed so often from here on."""

    point: str
    skip: int


@frozen
class Kill:
    """The process dies after some more turns of its loop, and is started again after some seconds."""

    turns: int = 0
    seconds: float = 0.0


@frozen
class Stop:
    """The process ends in order, and is started again after some seconds."""

    seconds: float = 0.0


@frozen
class Requeue:
    """A person mends the outside, and puts the oldest parked message back."""


Step = Tell | Send | AskFor | Pass | CrashAt | Kill | Stop | Requeue


def told(program: list[Step]) -> str:
    return "\n".join(str(step).replace("script=", "") for step in program)


keys = st.sampled_from(PLAYERS)
names = st.sampled_from(["t", "u"])
plain_acts = st.one_of(
    st.builds(Act, st.just("fail"), times=st.sampled_from([1, 2, FOREVER])),
    st.builds(Act, st.just("stash")),
    st.builds(Act, st.just("open")),
    st.builds(Act, st.sampled_from(["shut", "shut", "open", "end"])),
    st.builds(Act, st.just("cancel"), to=names),
    st.builds(
        Act,
        st.just("effect"),
        to=st.sampled_from(["rerun", "unknown"]),
        seconds=st.sampled_from([0.0, 1.0, 10.0]),
        then=st.just(Script()),
    ),
    st.builds(
        Act,
        st.just("ticker"),
        to=names,
        seconds=st.sampled_from([2.0, 5.0]),
        missed=st.sampled_from(["once", "skip", "all"]),
        then=st.just(Script()),
    ),
)


def scripts(acts: st.SearchStrategy[Act]) -> st.SearchStrategy[Script]:
    return st.builds(Script, st.lists(acts, max_size=3).map(tuple))


def nesting(inner: st.SearchStrategy[Act]) -> st.SearchStrategy[Act]:
    then = scripts(inner)
    return st.one_of(
        inner,
        st.builds(Act, st.just("tell"), to=keys, then=then),
        st.builds(Act, st.just("ask"), to=keys, then=then, seconds=st.sampled_from([1.0, 8.0])),
        st.builds(Act, st.just("timer"), to=names, then=then, seconds=st.sampled_from([0.0, 1.0, 5.0])),
    )


programmes = scripts(nesting(nesting(plain_acts)))
rests = st.booleans()
seconds = st.sampled_from([0.0, 3.0, 12.0])
steps = st.one_of(
    st.builds(Send, keys, programmes, rests),
    st.builds(Tell, keys, programmes, rests),
    st.builds(AskFor, keys, programmes, st.sampled_from(["", "k"]), timeout=st.sampled_from([2.0, 30.0]), rests=rests),
    st.builds(Pass, st.sampled_from([0.5, 3.0, 11.0])),
    st.builds(CrashAt, st.sampled_from(POINTS), st.integers(0, 6)),
    st.builds(Kill, st.integers(0, 12), seconds),
    st.builds(Stop, seconds),
    st.just(Requeue()),
)


def numbered(program: list[Step]) -> list[Step]:
    """The program with its scripts numbered in the order in which one reads them."""
    count = iter(range(1, 10_000))

    def script(one: Script) -> Script:
        number = next(count)
        acts = tuple(attrs.evolve(act, then=script(act.then)) if act.then is not None else act for act in one.acts)
        return Script(acts, number)

    return [
        attrs.evolve(step, script=script(step.script)) if isinstance(step, Tell | Send | AskFor) else step
        for step in program
    ]


programs = st.one_of(st.lists(steps, min_size=1, max_size=10), st.lists(steps, min_size=8, max_size=20)).map(numbered)
