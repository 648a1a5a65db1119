"""Policies from a file: what its rules say, and what is wrong with it to the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from choragus.agents.errors import PolicyFault
from choragus.agents.policy.chain import Chain
from choragus.agents.policy.check import Check, Stage
from choragus.agents.policy.config import load_policies
from choragus.agents.policy.unusual import PlanPolicy
from choragus.agents.policy.verdict import Allow, Ask, Deny, End, Escalate, Verdict

from .checks import calling, saying

FILE = """
[risk]
reversible = "ask"

[loop]
times = 4
polls = ["wait*"]

[new-tool]
least = 20
risks = ["irreversible"]

[unusual-arguments]
[unusual-spending]
then = "ask"
[plan]

[redaction]
kinds = ["card", "iban"]
stages = ["result"]

[[rate]]
name = "mail-rate"
tools = ["send_*"]
calls = 5
within = 60

[[rule]]
name = "large-payments"
tools = ["pay*"]
agents = ["clerk"]
risk = ["irreversible"]
arguments.amount = { above = 100 }
verdict = "ask"
reason = "more than 100"
approvers = ["treasurer"]

[[rule]]
name = "own-files"
arguments.path = { not = { path_within = "/data" } }
verdict = "deny"
reason = "only files in /data"
"""


def rule(lines: str, verdict: str = "deny") -> Chain:
    """A chain of one rule with these lines."""
    return Chain.of(load_policies(f'[[rule]]\nname = "r"\nverdict = "{verdict}"\nreason = "so"\n{lines}\n'))


def said(lines: str, check: Check, verdict: str = "deny") -> bool:
    """Whether that rule had the last word."""
    return rule(lines, verdict).rule(check).policy == "r"


def test_a_file_gives_the_built_in_policies_and_then_the_rules(tmp_path: Path) -> None:
    (tmp_path / "policies.toml").write_text(FILE)

    policies = load_policies(tmp_path / "policies.toml")

    built_in = ["risk", "loop", "mail-rate", "new-tool", "unusual-arguments", "unusual-spending", "plan", "redaction"]
    assert [one.name for one in policies] == [*built_in, "large-payments", "own-files"]
    assert len({one.version for one in policies}) == 10


def test_a_rule_is_about_its_tools_agents_risks_and_arguments() -> None:
    chain = Chain.of(load_policies(FILE))

    large = chain.rule(calling("pay_invoice", risk="irreversible", amount="120.00"))
    small = chain.rule(calling("pay_invoice", risk="irreversible", amount=100))
    other = chain.rule(calling("look", risk="read", amount=1000))

    assert (large.policy, large.verdict) == ("large-payments", Ask("more than 100", ("treasurer",)))
    assert (small.policy, other.verdict) == ("risk", Allow("read tools: allow"))


@pytest.mark.parametrize(
    ("verdict", "gives"), [("allow", Allow), ("deny", Deny), ("ask", Ask), ("escalate", Escalate), ("end", End)]
)
def test_a_rule_says_each_verdict(verdict: str, gives: type[Verdict]) -> None:
    assert isinstance(rule("", verdict).rule(calling()).verdict, gives)


@pytest.mark.parametrize(
    ("condition", "holds", "not_of"),
    [
        ("above = 5", [6, 5.1, "5.01"], [5, -6, "5"]),
        ("at_least = 5", [5, "5.0"], [4.9]),
        ("below = 5", [4], [5]),
        ("at_most = 5", [5], [6]),
        ("at_least = 1\narguments.x.at_most = 3", [1, 3], [0, 4]),
        ('equals = "a"', ["a"], ["A", 1]),
        ("equals = 1", [1, 1.0], [True, "1"]),
        ("equals = true", [True], [1, False]),
        ('one_of = ["a", 2]', ["a", 2], ["b", "2"]),
        ('prefix = "in-"', ["in-1"], ["out", "in"]),
        ('prefix = ["a", "b"]', ["ax", "b"], ["c"]),
        ('suffix = ".exe"', ["x.exe"], ["x.exe.txt"]),
        ('contains = "drop"', ["DROP table"], ["dr op"]),
        (r"matches = '[A-Z]{2}\d+'", ["GB12"], ["xGB12", "GB12\n", ""]),
        ('glob = "*.org"', ["a.org"], ["a.org.net"]),
        ("longer_than = 3", ["abcd", [1, 2, 3, 4]], ["abc", [1]]),
        ('path_within = "/data"', ["a/b", "/data/a"], ["../a", "/etc/passwd", "/data/../etc"]),
        ("url_public = true", ["https://example.org/"], ["http://127.1/", "file:///x", "http://localhost/"]),
        ("url_public = false", ["http://2130706433/"], ["https://example.org/"]),
        ('url_host = "*.example.org"', ["https://a.example.org/"], ["https://example.org.evil.net/"]),
        ("missing = false", [1, ""], []),
        ("not = { above = 5 }", [5], [6]),
        ('not = { prefix = "a", suffix = "b" }', ["a", "b"], ["ab"]),
    ],
)
def test_a_word_says_what_it_says(condition: str, holds: list[object], not_of: list[object]) -> None:
    lines = f"arguments.x.{condition}"

    assert [value for value in holds if not said(lines, calling(x=value))] == []
    assert [value for value in not_of if said(lines, calling(x=value))] == []


def test_a_missing_argument_fulfils_nothing_but_missing() -> None:
    assert not said("arguments.x = { below = 5 }", calling())
    assert not said("arguments.x = { not = { below = 5 } }", calling(x=None))
    assert said("arguments.x = { missing = true }", calling())


def test_a_rule_that_cannot_be_judged_denies() -> None:
    ruling = rule("arguments.x = { above = 5 }", "allow").rule(calling(x="many"))

    assert ruling.verdict == Deny("policy 'r' failed with TypeError, and what cannot be judged is denied")


def test_of_a_list_one_item_is_refused_and_all_are_allowed() -> None:
    inside, mixed = ["a@home.org", "b@home.org"], ["a@home.org", "b@evil.net"]
    allows = 'arguments.to = { suffix = "@home.org" }'
    denies = 'arguments.to = { not = { suffix = "@home.org" } }'

    assert [said(allows, calling(to=one), "allow") for one in (inside, mixed, [])] == [True, False, False]
    assert [said(denies, calling(to=one)) for one in (inside, mixed, [])] == [False, True, False]


def test_an_argument_within_an_argument_is_found() -> None:
    lines = 'arguments.payee.bank.country = { one_of = ["KP"] }'

    assert said(lines, calling(payee={"bank": {"country": "KP"}}))
    assert not said(lines, calling(payee={"bank": "KP"}))


def test_a_rule_may_be_about_a_text() -> None:
    lines = 'stage = "output"\ntext = { contains = "as an AI" }'

    assert said(lines, saying("As an AI, I cannot"))
    assert not said(lines, saying("Done."))
    assert not said(lines, saying("as an AI", Stage.REPLY))


def test_the_version_is_that_of_the_content() -> None:
    one, same, other = (
        load_policies(f'\n[[rule]]\n{first}\n{second}\nreason = "x"\n')[0].version
        for first, second in (
            ('name = "r"', 'verdict = "deny"'),
            ('verdict = "deny" # a comment', 'name = "r"'),
            ('name = "r"', 'verdict = "end"'),
        )
    )

    assert one == same != other


HEAD = '[risk]\nread = "allow"\n[[rule]]\nname = "a"\nverdict = "deny"\nreason = "x"\n\n[[rule]]\n'
GOOD = 'name = "b"\nverdict = "deny"\nreason = "x"\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a = \n", "policies: no TOML: Invalid value"),
        ("a = " + "[" * 5_000 + "\n", "policies: no TOML: .*recursion"),
        ("a = " + "9" * 5_000 + "\n", "policies: no TOML: Exceeds the limit"),
        ("[rules]\nx = 1\n", "policies.rules: unknown key; known are risk, loop, rate, new-tool"),
        ("[rule]\nx = 1\n", r"policies: rule: write \[\[rule\]\] as a line of its own"),
        ('[risk]\nreed = "ask"\n', "policies:1: risk.reed: unknown key; known are read, reversible, irreversible"),
        ('\n[risk]\nread = "maybe"\n', "policies:2: risk: RiskPolicy.read='maybe'. is no decision"),
        ("[new-tool]\nleast = 1\n", "policies:1: new-tool: NewToolPolicy.least=1. must be a whole number of runs"),
        ("[plan]\nrisks = ['high']\n", "policies:1: plan: PlanPolicy.risks=.*: 'high' is none of read, reversible"),
        ("[[rate]]\ncalls = 5\n", r"policies:1: rate\[0\]: .*within"),
        ("[redaction]\nkinds = ['cards']\n", "policies:1: redaction: 'cards' is nothing that can be redacted"),
        (HEAD + 'verdict = "deny"\n', r"policies:8: rule\[1\].name: None is no name"),
        (HEAD + 'name = "a b"\n', r"policies:8: rule\[1\].name: 'a b' is no name"),
        (HEAD + 'name = "b"\nverdict = "no"\n', r"policies:8: rule\[1\].verdict: 'no' is none of allow, deny, ask"),
        (HEAD + 'name = "b"\nverdict = "deny"\n', r"policies:8: rule\[1\].reason: give a text"),
        (HEAD + GOOD + "tool = 'x'\n", r"policies:8: rule\[1\].tool: unknown key; known are name, verdict"),
        (HEAD + GOOD + "tools = []\n", r"policies:8: rule\[1\].tools: an empty list is about nothing"),
        (HEAD + GOOD + "tools = [1]\n", r"policies:8: rule\[1\].tools: \[1\] is no list of texts"),
        (HEAD + GOOD + "risk = 'high'\n", r"policies:8: rule\[1\].risk: 'high' is none of read, reversible"),
        (HEAD + GOOD + "stage = 'then'\n", r"policies:8: rule\[1\].stage: 'then' is none of input, reply"),
        (HEAD + GOOD + "stage = 'reply'\nrisk = 'read'\n", r"policies:8: rule\[1\]: stage 'reply' has no arguments"),
        (HEAD + GOOD + "approvers = ['x']\n", r"policies:8: rule\[1\].approvers: nobody is asked"),
        (HEAD + GOOD + "arguments.x = 5\n", r"policies:8: rule\[1\].arguments.x: 5 is no condition"),
        (HEAD + GOOD + "arguments.x = { abov = 5 }\n", r"rule\[1\].arguments.x.abov: 5 is no condition"),
        (HEAD + GOOD + "arguments.x = { above = 5, abov = 5 }\n", r"rule\[1\].arguments.x.abov: unknown word; known"),
        (HEAD + GOOD + "arguments.x = { above = '5' }\n", r"arguments.x.above: '5' will not do: give a number"),
        (HEAD + GOOD + "arguments.x = { matches = '(' }\n", r"arguments.x.matches: '\(' is no pattern, at character 1"),
        (HEAD + GOOD + "arguments.x = { path_within = 'data' }\n", "arguments.x.path_within: .* give an absolute path"),
        (HEAD + GOOD + "arguments.x = { not = 5 }\n", r"arguments.x.not: write { not = { ... } }"),
        (HEAD + GOOD + "text = { above = [] }\n", r"policies:8: rule\[1\].text.above: \[\] will not do"),
        (HEAD + GOOD.replace("b", "a", 1), "policies: two policies are named 'a': rename one"),
        (HEAD + GOOD.replace('"b"', '"risk"', 1), "policies: two policies are named 'risk'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, error: str) -> None:
    with pytest.raises(PolicyFault, match=f"^(policies.*)?{error}"):
        load_policies(text)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_policies(tmp_path / "none.toml")


def test_a_file_of_policies_is_utf_8_with_a_mark_or_without(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_bytes(b'\xef\xbb\xbf[plan]\norder = ["find"]\n')
    bad.write_bytes(b"# \xff\n")

    assert load_policies(good) == [PlanPolicy(order=["find"])]
    with pytest.raises(PolicyFault, match=r"bad.toml: no TOML: .*can't decode"):
        load_policies(bad)


def test_a_plan_has_an_order() -> None:
    assert load_policies('[plan]\norder = ["find", "pay"]\n') == [PlanPolicy(order=["find", "pay"])]
