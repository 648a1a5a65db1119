"""Tries other systems beside choragus: the same plan, ledger, kills and judge; prints a table in Markdown.

    python -m tests.faults.rivals --quick
    nice python -m tests.faults.rivals --points 200 --only langgraph

A plan has 5 steps, each with one effect that is counted in a ledger outside the process. The process is killed before a
storage call or in the middle of it, and started again, plainly, until it ends with 0. "In the steps" are the calls from
the first effect until the last one is recorded, so each step's share is the same; "outside" are opening, schema, the
plan's begin and closing. Points are spread evenly. Ends with 1 when choragus broke a promise; what was broken by whom
goes to stderr.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

import attrs

from .family import processors
from .interposer import Mode, Shot, build, missing
from .kills import spread
from .rival import AT_CALL, Rival
from .stand import Stand, Workload
from .trial import Plan, Seen

STEPS = 5
QUICK = 20
POINTS = 200
HEAD = (
    "system",
    "killed",
    "idempotency key",
    "kill points",
    "doubled",
    "asked again",
    "lost",
    "stuck",
    "unknown, settled",
    "otherwise broken",
    "storage calls per effect",
)
NONE = "none"
BY_HAND = "by hand"
LANGGRAPH = ("langgraph", "langgraph.checkpoint.sqlite")
DBOS = ("dbos",)
RIVALS = (
    Rival(name="choragus", module="choragus_rival", keeps=True),
    Rival(name="choragus", module="choragus_rival", key="its own", keeps=True),
    Rival(name="langgraph", module="langgraph_rival", packages=LANGGRAPH),
    Rival(name="langgraph", module="langgraph_rival", packages=LANGGRAPH, key=BY_HAND),
    Rival(name="dbos", module="dbos_rival", packages=DBOS),
    Rival(name="dbos", module="dbos_rival", packages=DBOS, key=BY_HAND),
)


@attrs.frozen(kw_only=True)
class Result:
    """What became of one system at one kind of point.

    Args:
        killed: in the steps, or outside of them.
        points: kills that really came to pass.
        doubled: points at which an effect happened twice.
        again: effects that were asked for again with the key of the first time, and so happened once.
        lost: points at which an effect never happened.
        stuck: points after which plain restarts did not come to the end.
        settled: effects of unknown outcome that a person looked up.
        other: points at which something else was broken: the outcome, the file, a restart that failed on the way.
        calls: storage calls per effect.
        broken: every promise that was broken, a sentence each.
    """

    rival: Rival
    killed: str
    points: int
    doubled: int
    again: int
    lost: int
    stuck: int
    settled: int
    other: int
    calls: float
    broken: tuple[str, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        share = f" ({100 * self.doubled / self.points:.0f} %)" if self.doubled else ""
        numbers = (self.again, self.lost, self.stuck, self.settled, self.other)
        key = self.rival.key or NONE
        return (
            self.rival.name,
            self.killed,
            key,
            str(self.points),
            f"{self.doubled}{share}",
            *map(str, numbers),
            f"{self.calls:.1f}",
        )


def tried(
    rival: Rival, points: int, library: Path, servers: int = 1, steps: int = STEPS
) -> Generator[Result, None, None]:
    """Kill it in its steps; then outside of them, at a quarter as many points."""
    with Stand(Workload(name=rival.name, scenario=rival.scenario(steps)), library, servers) as stand:
        undisturbed = stand.run(Plan())
        effects = _effects(undisturbed)
        period = (effects[-1] - effects[0]) / (steps - 1)
        begin, end = effects[0], min(undisturbed.calls, effects[-1] + round(period))
        outside = [*range(1, begin + 1), *range(end + 1, undisturbed.calls + 1)]
        at = {
            "in the steps": [begin + one for one in spread(end - begin, max(1, points // 2))],
            "outside": [outside[one - 1] for one in spread(len(outside), max(1, points // 8))],
        }
        for killed, places in at.items():
            plans = (Plan(lives=((Shot(place, mode),),)) for place in places for mode in (Mode.KILL, Mode.TORN))
            yield _judged(rival, killed, stand, plans, period)


def _effects(undisturbed: Seen) -> list[int]:
    """The number of storage calls before each effect, in order."""
    printed = undisturbed.trial.printed.splitlines()
    return sorted(int(line.removeprefix(AT_CALL)) for line in printed if line.startswith(AT_CALL))


def _judged(rival: Rival, killed: str, stand: Stand, plans: Iterable[Plan], calls: float) -> Result:
    seen = list(stand.run_all(plans))
    found = [stand.broken(one) for one in seen]
    doubled = [_is_doubled(one) for one in found]
    lost = [any("never happened" in each for each in one) for one in found]
    named = [any(kinds) for kinds in zip(doubled, lost, [one.is_stuck for one in seen], strict=True)]
    return Result(
        rival=rival,
        killed=killed,
        points=sum(bool(one.hits) for one in seen),
        doubled=sum(doubled),
        again=sum(_asked_again(one) for one in seen),
        lost=sum(lost),
        stuck=sum(one.is_stuck for one in seen),
        settled=sum(one.settled for one in seen),
        other=sum(bool(one) and not is_named for one, is_named in zip(found, named, strict=True)),
        calls=calls,
        broken=tuple(each for one in found for each in one),
    )


def _is_doubled(found: Sequence[str]) -> bool:
    return any(" happened " in one and " times, undisturbed" in one for one in found)


def _asked_again(seen: Seen) -> int:
    return sum(line.kind == "again" for line in seen.trial.lines)


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} points for each row")
    parser.add_argument("--points", type=int, default=POINTS, help=f"points for each row, {POINTS} by default")
    parser.add_argument("--only", action="append", default=[], help="a system; may be given several times")
    parser.add_argument("--servers", type=int, default=processors(), help="trials at a time")
    given = parser.parse_args()
    if unknown := sorted(set(given.only) - {one.name for one in RIVALS}):
        parser.error(f"--only {unknown[0]}: choose from {', '.join(sorted({one.name for one in RIVALS}))}")
    if why := missing():
        print(why, file=sys.stderr)
        return 2
    chosen = [one for one in RIVALS if not given.only or one.name in given.only]
    with tempfile.TemporaryDirectory() as folder:
        return _print(chosen, QUICK if given.quick else given.points, build(Path(folder)), given.servers)


def _print(rivals: Sequence[Rival], points: int, library: Path, servers: int) -> int:
    begun = time.monotonic()
    done: list[Result] = []
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for rival in rivals:
        if rival.missing:
            continue
        for result in tried(rival, points, library, servers):
            done.append(result)
            print(f"| {' | '.join(result.cells)} |", flush=True)
            for one in result.broken:
                print(f"{rival.name}: {one}", file=sys.stderr, flush=True)
    print(f"\n{sum(one.points for one in done)} points in {time.monotonic() - begun:.0f} s")
    for line in sorted({one.missing for one in rivals if one.missing}):
        print(line)
    return 1 if any(one.broken and one.rival.keeps for one in done) else 0


if __name__ == "__main__":
    sys.exit(main())
