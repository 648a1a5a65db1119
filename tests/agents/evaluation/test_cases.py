"""Cases are read from files of three kinds, and what is wrong is told with file, line and field."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from choragus.agents import judge
from choragus.agents.ended import EndedRun, MadeCall
from choragus.agents.errors import EvaluationFault
from choragus.agents.evaluation import Case, Dataset, read_cases
from choragus.agents.evaluation.judging import Judged
from choragus.agents.scripted import ScriptedModel

OWN = """\
{"name": "sum", "inputs": "1 + 1", "expected_output": "2", "labels": ["easy"], "trajectory": ["add"], "metadata": {}}

{"inputs": {"a": 1}, "expected_output": {"b": [2]}, "source": {"file": "runs.db", "run": "5f"}}
"""

INSPECT = """\
{"id": 7, "input": "1 + 1", "target": "2", "metadata": {"a": 1}}
{"id": "many", "input": [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}], "target": ["x", "y"]}
{"id": "open", "input": "Say something.", "target": ""}
"""

YAML = """\
# yaml-language-server: $schema=cases_schema.json
name: capitals
cases:
- name: france
  inputs: What is the capital of France?
  metadata: {difficulty: easy}
  expected_output: Paris
  evaluators:
  - EqualsExpected
- name: peru
  inputs: What is the capital of Peru?
  expected_output: null
  evaluators:
  - Contains: {value: lima, case_sensitive: false}
evaluators:
- IsInstance: str
- MaxDuration: 2.0
- TrajectoryMatch: {expected_trajectory: [look], order: any_order}
- MaxToolCalls: 1
"""


def written(folder: Path, name: str, text: str) -> Path:
    """The file of that name."""
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_lines_are_cases(tmp_path: Path) -> None:
    found = read_cases(written(tmp_path, "cases.jsonl", OWN))

    assert [one.name for one in found.cases] == ["sum", "line 3"]
    first, second = found.cases
    assert (first.goal, first.expected_output, first.labels, first.trajectory) == ("1 + 1", "2", ("easy",), ("add",))
    assert (second.goal, second.expected_output, second.trajectory) == ('{"a":1}', {"b": [2]}, None)
    assert second.source is not None
    assert second.source["run"] == "5f"


def test_lines_of_inspect_are_cases(tmp_path: Path) -> None:
    found = read_cases(written(tmp_path, "cases.jsonl", INSPECT)).cases

    assert [(one.name, one.goal, one.expected_output, one.targets) for one in found] == [
        ("7", "1 + 1", "2", ()),
        ("many", "one\n\ntwo", None, ("x", "y")),
        ("open", "Say something.", None, ()),
    ]


def test_a_set_of_pydantic_evals_is_read_with_its_evaluators(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    found = read_cases(written(tmp_path, "capitals.yaml", YAML))
    paris, lima = found.cases
    run = EndedRun(run="5f", agent="a", goal="", answer="LIMA", seconds=3.0, calls=(MadeCall(tool="look"),))

    scores = [one.score(lima, run) for one in (*found.scorers, *paris.scorers, *lima.scorers)]

    assert found.name == "capitals"
    assert [(one.name, one.passed) for one in scores if one is not None] == [
        ("IsInstance", True),
        ("MaxDuration", False),
        ("TrajectoryMatch", True),
        ("MaxToolCalls", True),
        ("Contains", True),
    ]


def test_a_set_in_json_is_the_same(tmp_path: Path) -> None:
    text = (
        '{"cases": [{"inputs": "1 + 1", "evaluators": [{"Equals": 2}, {"LLMJudge": {"rubric": "ok", "model": "m"}}]}]}'
    )

    with pytest.raises(EvaluationFault, match=r"cases\.json, cases\[0\], field evaluators: .*model"):
        read_cases(written(tmp_path, "cases.json", text))


def test_a_judge_of_theirs_is_a_judge_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "model_named", lambda name: ScriptedModel([], name=name))
    text = '{"cases": [{"inputs": "1", "evaluators": [{"LLMJudge": {"rubric": "ok", "model": "openai:gpt-5-mini"}}]}]}'

    ((judged,),) = [one.scorers for one in read_cases(written(tmp_path, "cases.json", text)).cases]

    assert isinstance(judged, Judged)
    assert (judged.judge.rubric, judged.judge.model.name, judged.expected) == ("ok", "openai:gpt-5-mini", False)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"inputs": "a"', "cases.jsonl, line 2: "),
        ("[1]", "line 2: it is no object with the fields of a case"),
        ('{"name": "a"}', "line 2, field inputs: it is missing or empty"),
        ('{"inputs": "a", "wanted": 1}', "line 2, field wanted: there is none of that name; there are name, inputs"),
        ('{"inputs": "a", "labels": "easy"}', "line 2, field labels: 'easy' is no list of texts"),
        ('{"inputs": "a", "trajectory": [1]}', r"line 2, field trajectory: \[1\] is no list of texts"),
        ('{"inputs": "a", "metadata": 1}', "line 2, field metadata: 1 is no object"),
        ('{"inputs": "a", "name": 1}', "line 2, field name: 1 is no text"),
        ('{"input": "a", "choices": ["x"]}', "line 2, field choices: there is none of that name; there are id, input"),
        ('{"input": [{"role": "system", "content": "x"}]}', "line 2, field input: .* is no text of the user's"),
        ('{"inputs": "a", "evaluators": ["Rhyme"]}', "line 2, field evaluators: 'Rhyme' is none that is known here"),
        ('{"inputs": "a", "evaluators": [{"MaxDuration": -1}]}', "line 2, field evaluators: .*-1 is no number"),
        ('{"inputs": "a", "evaluators": [{"Contains": {"text": 1}}]}', "field evaluators: Contains"),
        ('{"inputs": "a", "evaluators": [{"LLMJudge": "ok"}]}', "field evaluators: LLMJudge has no model"),
        ('{"inputs": "a", "name": "first"}', "two cases are named 'first'"),
    ],
)
def test_a_wrong_line_is_told_with_its_field(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(EvaluationFault, match=told):
        read_cases(written(tmp_path, "cases.jsonl", f'{{"name": "first", "inputs": "a"}}\n{line}\n'))


def test_several_wrong_lines_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFault) as fault:
        read_cases(written(tmp_path, "cases.jsonl", "{}\n" * 7))

    assert str(fault.value).count("field inputs") == 5
    assert str(fault.value).endswith("and 2 more")


def test_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    pytest.importorskip("yaml")

    with pytest.raises(EvaluationFault, match=r"cases\.yaml, line 4, field expect: there is none"):
        read_cases(written(tmp_path, "cases.yaml", "cases:\n- name: a\n  inputs: x\n- inputs: y\n  expect: z\n"))
    with pytest.raises(EvaluationFault, match=r"cases\.yaml, line 2: "):
        read_cases(written(tmp_path, "cases.yaml", "cases: [\n  a: }\n"))


def test_without_the_library_yaml_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(ImportError, match=r"pip install 'choragus\[yaml\]'"):
        read_cases(written(tmp_path, "cases.yaml", YAML))


@pytest.mark.parametrize(("name", "text", "told"), [("cases.txt", "", "of no kind"), ("a.jsonl", "", "no case in it")])
def test_what_holds_no_cases_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(EvaluationFault, match=told):
        read_cases(written(tmp_path, name, text))


def test_the_digest_is_of_what_is_asked_and_wanted() -> None:
    one = Case(name="a", inputs="x", expected_output="y")
    ways = [
        [one],
        [Case(name="a", inputs="x", expected_output="z")],
        [Case(name="a", inputs="x", expected_output="y", trajectory=("t",))],
        [one, Case(name="b", inputs="x")],
    ]

    assert len({Dataset.of(way).digest for way in ways}) == 4
    assert (
        Dataset.of([one]).digest == Dataset.of([Case(name="a", inputs="x", expected_output="y", labels=("l",))]).digest
    )


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [echo]", "!!python/name:os.system", "!Case {}"])
def test_s19_yaml_makes_nothing_but_plain_values(tmp_path: Path, tag: str) -> None:
    pytest.importorskip("yaml")

    with pytest.raises(EvaluationFault, match=r"cases\.yaml, line 2: could not determine a constructor"):
        read_cases(written(tmp_path, "cases.yaml", f"cases:\n- inputs: {tag}\n"))


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    assert len(read_cases(written(tmp_path, "cases.jsonl", f"\ufeff{OWN}")).cases) == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": ""}, "^name='' of a case: give it a name"),
        ({"name": 3}, "^name=3 of a case: give it a name"),
        ({"name": "x" * 201}, "has a name of 201 characters, 200 are the most$"),
        ({"inputs": ""}, "^case 'x' has no inputs"),
        ({"inputs": object()}, "^case 'x' cannot be written as JSON: Encoding objects of type object"),
        ({"inputs": "half a pair \ud800"}, "^case 'x' cannot be written as JSON: "),
        ({"inputs": "x" * 1_000_001}, "^the inputs of case 'x' have 1,000,001 characters, and 1,000,000 are the most"),
        ({"targets": "abc"}, "^targets='abc' of case 'x': give a list of texts"),
    ],
)
def test_what_is_no_case_is_told_before_anything_runs(fields: dict[str, object], told: str) -> None:
    with pytest.raises(EvaluationFault, match=told):
        Case(**{"name": "x", "inputs": "y", **fields})  # type: ignore[arg-type]  # users' mistakes
