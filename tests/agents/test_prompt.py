"""Prompts: what a file may say of itself, strict variables, and what the logbook keeps of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, Failed, ModelError
from choragus.agents.manifest import manifest
from choragus.agents.model import ModelReply
from choragus.agents.prompt import Prompt
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.sync import run_sync

from .play import data

CLERK = """+++
name = "clerk"
version = "3"
variables = ["company"]

[defaults]
tone = "plain"
+++
You work for {{company}}, in a {{ tone }} tone.
Answer like {"a": {"b": 1}} and never {{{{so}}}}.
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "clerk.md"
    path.write_text(CLERK, encoding="utf-8")
    return path


def prompt(path: Path, text: str) -> Prompt:
    path.write_text(text, encoding="utf-8")
    return Prompt.from_file(path)


def test_a_file_says_its_name_version_and_variables(file: Path) -> None:
    found = Prompt.from_file(file)

    assert (found.name, found.version, found.variables) == ("clerk", "3", ("company", "tone"))


def test_variables_are_replaced_and_other_braces_stand(file: Path) -> None:
    rendered = Prompt.from_file(file).rendered(company="Acme")

    assert rendered.text == 'You work for Acme, in a plain tone.\nAnswer like {"a": {"b": 1}} and never {{so}}}}.\n'


@pytest.mark.parametrize("value", ["{{tone}}", "{{company}}", "{{{{", "\\1 \\g<0> $tone %s {tone}", "+++\nname = 'x'"])
def test_a_value_is_text_and_nothing_in_it_is_replaced(file: Path, value: str) -> None:
    assert Prompt.from_file(file).rendered(company=value).text.startswith(f"You work for {value}, in a plain tone.")


def test_an_agent_renders_its_prompt(file: Path) -> None:
    model = ScriptedModel(["Yes."])
    clerk = Agent("clerk", model=model, prompt=Prompt.from_file(file), variables={"company": "Acme", "tone": "curt"})

    run_sync(clerk, "Go.")

    assert model.requests[0].instructions.startswith("You work for Acme, in a curt tone.")


def test_a_prompt_that_is_rendered_is_ready_for_an_agent(file: Path) -> None:
    rendered = Prompt.from_file(file).rendered(company="Acme", tone="curt")
    clerk = Agent("clerk", model=ScriptedModel([]), prompt=rendered)

    assert clerk.prompt == evolve(clerk, repairs=1).prompt == rendered
    assert rendered.rendered(tone="warm").text.startswith("You work for Acme, in a warm tone.")


def test_a_changed_agent_renders_anew(file: Path) -> None:
    clerk = Agent("clerk", model=ScriptedModel([]), prompt=Prompt.from_file(file), variables={"company": "Acme"})

    assert evolve(clerk, repairs=1).prompt == clerk.prompt
    assert "for Zeta," in evolve(clerk, variables={"company": "Zeta"}).prompt.text


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {},
            r"^the variable 'company' of prompt file '.*clerk.md' has no value: give it in Agent\(variables=\{\.\.\.\}",
        ),
        ({"company": "A", "city": "B"}, r"^prompt file '.*' has no variable 'city': it has company, tone, so leave it"),
        ({"company": 7}, r"^the variable 'company' of prompt file '.*clerk.md' is 7: give a text$"),
        ("company", r"^the variables 'company' of prompt 'clerk' are no mapping of names to texts$"),
    ],
    ids=["missing", "unknown", "no-text", "no-mapping"],
)
def test_an_agent_does_not_start_with_wrong_variables(file: Path, variables: Any, says: str) -> None:
    with pytest.raises(AgentFault, match=says):
        Agent("clerk", model=ScriptedModel([]), prompt=Prompt.from_file(file), variables=variables)


def test_a_text_has_no_variables() -> None:
    with pytest.raises(AgentFault, match=r"^prompt 'inline' has no variable 'a': it has none, so leave it out"):
        Agent("clerk", model=ScriptedModel([]), prompt="{{a}}", variables={"a": "b"})

    assert Agent("clerk", model=ScriptedModel([]), prompt="{{a}} {{{{").prompt.text == "{{a}} {{{{"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("+++\nname = 'a'\n", r"': the front matter that begins in line 1 has no end: write a line \+\+\+ behind it$"),
        ("+++\nname = a\n+++\n", r"': the front matter is no TOML: Invalid value \(at line 2, column 8\)$"),
        ("+++\nname = " + "[" * 5_000 + "\n+++\n", r"': the front matter is no TOML: .*recursion"),
        ("+++\nmodel = 'a'\n+++\n", r"': 'model' is nothing that a prompt has: choose from defaults, name, variables,"),
        ("+++\nversion = 3\n+++\n", r"': name='p.md' and version=3 must both be text: put quotes around them$"),
        ("+++\nvariables = 'a'\n+++\n{{a}}", r"': variables='a' is no list of names"),
        ("+++\ndefaults = ['a']\n+++\n{{a}}", r"': defaults=\['a'\] is no table of texts"),
        ("+++\n[defaults]\na = 1\n+++\n{{a}}", r"': defaults=\{'a': 1\} is no table of texts"),
        ("+++\nvariables = ['a.b']\n+++\n", r"': 'a\.b' is no name for a variable: use letters"),
        (
            "+++\nvariables = ['a']\ndefaults = {a = 'x'}\n+++\n{{a}}",
            r"': 'a' stands among both variables and defaults",
        ),
        ("+++\nvariables = ['a']\n+++\n", r"' declares 'a' and never uses it"),
        (
            "+++\n+++\n\n{{a}}",
            r"', line 4: 'a' is not declared: name it in `variables` or `defaults`.* \{\{\{\{ for a lit",
        ),
        ("Hello {{a}}", r"', line 1: 'a' is not declared: name it in"),
        ("+++\nvariables = ['a']\n+++\n{{a.__class__}}", r"', line 4: what begins there is no variable: only \{\{name"),
        ("+++\nvariables = ['a']\n+++\n{{#if a}}{{a}}", r"', line 4: what begins there is no variable"),
        ("+++\nvariables = ['a']\n+++\n{{a | upper}}", r"', line 4: what begins there is no variable"),
        ("+++\nvariables = ['a']\n+++\n{{ a\n}}", r"', line 4: what begins there is no variable"),
    ],
)
def test_a_wrong_file_names_its_fault(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(AgentFault, match=rf"^prompt file '.*p\.md{says}"):
        prompt(tmp_path / "p.md", text)


def test_a_file_without_front_matter_is_its_text(tmp_path: Path) -> None:
    found = prompt(tmp_path / "p.md", 'Say {"a": {{"b"}} or {{{{.\n')

    assert (found.text, found.name, found.variables) == ('Say {"a": {{"b"}} or {{{{.\n', "p.md", ())


def test_front_matter_alone_makes_a_template_that_is_ready(tmp_path: Path) -> None:
    found = prompt(tmp_path / "p.md", "+++\nversion = '2'\n[defaults]\na = 'x'\n+++\nSay {{a}}, not {{{{.")

    assert (found.text, found.version) == ("Say x, not {{.", "2")


def test_line_ends_make_no_difference(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_bytes(CLERK.replace("\n", "\r\n").encode("utf-8-sig"))

    assert Prompt.from_file(tmp_path / "p.md").rendered(company="Acme").text.startswith("You work for Acme, in a plain")


def identity(file: Path, text: str, **variables: str) -> str:
    found = prompt(file, text)
    return manifest(Agent("clerk", model=ScriptedModel([]), prompt=found, variables=variables)).hash


def test_text_and_template_are_the_identity_and_name_and_version_are_not(file: Path) -> None:
    first = identity(file, CLERK, company="Acme")

    assert identity(file, CLERK.replace('"3"', '"4"').replace('"clerk"', '"cashier"'), company="Acme") == first
    assert identity(file, CLERK, company="Zeta") != first
    assert identity(file, CLERK.replace("{{ tone }}", "plain {{tone}}"), company="Acme") != first
    assert identity(file, CLERK.replace("{{ tone }}", "{{tone}}"), company="Acme") != first


async def test_the_model_that_answered_stands_in_the_logbook_as_its_provider_says_it() -> None:
    clerk = Agent("clerk", model=ScriptedModel([ModelReply("Yes.", model="big-2026-11")], name="big"))

    async with Runtime(agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "Go.")
        await run.result()
        (reply,) = await data(run, "model.replied")

    assert (reply["model"], reply["answered_by"]) == ("big", "big-2026-11")


async def test_every_model_call_stands_with_its_prompt_in_the_logbook(file: Path) -> None:
    made = Prompt.from_file(file).rendered(company="Acme")
    assert made.template is not None
    script = [ModelError("busy", retryable=False)]
    clerk = Agent("clerk", model=ScriptedModel(script), prompt=made)
    other = Agent("other", model=ScriptedModel(["Yes."]), prompt="Be brief.")

    async with Runtime(agents=[clerk, other]) as runtime:
        failed, replied = await runtime.start(clerk, "Go."), await runtime.start(other, "Go.")
        await replied.result()
        with pytest.raises(Failed):
            await failed.result()

        (failure,), (reply,) = await data(failed, "model.failed"), await data(replied, "model.replied")

    assert failure["prompt"] == {
        "name": "clerk",
        "version": "3",
        "digest": made.digest,
        "template": made.template.digest,
    }
    assert reply["prompt"] == {"digest": "213c22ed7234"}
