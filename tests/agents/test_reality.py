"""No real calls: what counts as real, who is refused, and what the run says."""

from __future__ import annotations

import pickle

import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import Failed, ModelError
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.testing import RealCallForbidden, check_real_calls_allowed, forbid_real_calls
from choragus.agents.testing.plugin import no_real_calls as no_real_calls  # the fixture

from .rehearsal import Real, Shop, clerk, result

FORBIDDEN = r"model 'function' of function is real, and real calls are forbidden here .*: give a ScriptedModel"


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHORAGUS_FORBID_REAL_CALLS", raising=False)


async def refused() -> int:
    """Run an agent with a real model, which is refused; gives back how often the model was called."""
    agent = clerk()
    with pytest.raises(Failed, match=rf"the model failed once: {FORBIDDEN}"):
        await result(agent, Shop())
    assert isinstance(agent.model, Real)
    return agent.model.calls


async def test_a_real_model_is_not_called() -> None:
    with forbid_real_calls():
        assert await refused() == 0

    assert await result(clerk(), Shop()) == 'Done: "refunded 3.5"'


async def test_the_environment_forbids_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_FORBID_REAL_CALLS", "1")

    assert await refused() == 0


@pytest.mark.usefixtures("no_real_calls")
async def test_the_fixture_forbids_too() -> None:
    assert await refused() == 0


async def test_a_run_that_goes_on_is_refused_its_next_call() -> None:
    agent = clerk()
    async with Runtime(agents=[agent], resources=Shop()) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if event.kind == "approval.requested":
                break
        with forbid_real_calls():
            await run.approve((await run.pending())[0], by="mia")

            with pytest.raises(Failed, match=FORBIDDEN):
                await run.result()


@pytest.mark.parametrize(
    "model", [ScriptedModel(["Yes."]), FunctionModel(lambda _: "Yes.")], ids=["script", "function"]
)
async def test_scripts_and_functions_are_not_real(model: ScriptedModel | FunctionModel) -> None:
    with forbid_real_calls():
        assert await result(Agent("a", model=model), None) == "Yes."


def test_a_context_inside_another_does_not_end_it() -> None:
    with forbid_real_calls():
        with forbid_real_calls():
            pass
        with pytest.raises(RealCallForbidden, match=r"^the bank is real, and real calls are forbidden here"):
            check_real_calls_allowed("the bank")

    check_real_calls_allowed("the bank")


@pytest.mark.parametrize("value", ["", "0"])
def test_an_empty_variable_forbids_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_FORBID_REAL_CALLS", value)

    check_real_calls_allowed("the bank")


def test_the_error_is_a_models_and_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(RealCallForbidden("the bank")))

    assert isinstance(error, RealCallForbidden)
    assert issubclass(RealCallForbidden, ModelError)
    assert (error.what, error.retryable, error.kind) == ("the bank", False, "forbidden")
    assert str(error).startswith("the bank is real")
