"""How long a call is judged by a hundred rules of a configuration, against the same as an if-chain by hand."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from benchmarks.figure import Figure, Section, cost, interleaved
from benchmarks.target import Target, at_most

from choragus.agents.policy.chain import Chain
from choragus.agents.policy.check import Check, Stage
from choragus.agents.policy.config import load_policies

RULES = 100
NOTES = (
    f"choragus: {RULES} rules from TOML, each with a tool pattern and a predicate on one argument, as one Chain",
    "other: one generated function with an if for each rule, no names, no versions, first objection wins",
    "one rule: a call whose tool one rule is about; every rule: all are about it, each predicate is tested, none holds",
)
TOML = """
[[rule]]
name = "rule-{0}"
tools = ["{1}"]
arguments.amount = {{ above = {2} }}
verdict = "ask"
reason = "more than {2}"
"""


def section(quick: bool) -> Section:
    """Measure: 5 rounds of 500 calls, or 9 of 2,000."""
    calls, rounds = (500, 5) if quick else (2_000, 9)
    one = _compared("one rule about the tool", "tool_{}_*", calls, rounds, at_most(4))
    every = _compared("every rule about the tool", "tool_*", calls, rounds, at_most(16))
    return Section("Policies", "if-chain", [one, every], NOTES)


def _compared(name: str, glob: str, calls: int, rounds: int, target: Target) -> Figure:
    text = "".join(TOML.format(rule, glob.format(rule), 1_000 + rule) for rule in range(RULES))
    chain, by_hand = Chain.of(load_policies(text)), _by_hand(glob)
    check = Check(stage=Stage.CALL, run="r", agent="clerk", tool="tool_50_x", risk="read", arguments={"amount": 120.5})
    assert chain.rule(check).policy == "default"
    assert by_hand(check) == "allow"
    ours, other = interleaved(
        lambda: _seconds(lambda: chain.rule(check), calls),
        lambda: _seconds(lambda: by_hand(check), calls),
        rounds=rounds,
    )
    mine, theirs = ([seconds / calls * 1e6 for seconds in one] for one in (ours, other))
    return cost(f"a call, {name}", "µs", mine, theirs, target=target)


def _seconds(judge: Callable[[], object], calls: int) -> float:
    begin = perf_counter()
    for _ in range(calls):
        judge()
    return perf_counter() - begin


def _by_hand(glob: str) -> Callable[[Check], str]:
    lines = ["def judge(check):", "    tool, amount = check.tool, check.arguments.get('amount')"]
    for rule in range(RULES):
        beginning = glob.format(rule).rstrip("*")
        lines += [f"    if tool.startswith({beginning!r}) and amount is not None and amount > {1_000 + rule}:"]
        lines += [f"        return 'more than {1_000 + rule}'"]
    space: dict[str, Callable[[Check], str]] = {}
    exec("\n".join([*lines, "    return 'allow'"]), space)
    return space["judge"]
