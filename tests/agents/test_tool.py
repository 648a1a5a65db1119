"""Functions as tools: what is refused, what the model is told, what is called, what comes back."""

from __future__ import annotations

import asyncio
import datetime
import enum
import functools
import hashlib
import inspect
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from typing import Annotated

import anyio
import msgspec
import pytest
from attrs import frozen

from choragus.agents.errors import BadArguments, BadResult, ToolFault
from choragus.agents.model import ToolSchema
from choragus.agents.tool import Risk, Tool, ToolContext, ToolOptions, tool
from choragus.agents.toolbelt.options import Rate
from choragus.agents.toolbelt.source import normalised

CONTEXT = ToolContext(run="r1", call="c1", idempotency_key="r1:c1")


class Season(enum.Enum):
    """A closed set in a schema."""

    SUMMER = "summer"
    WINTER = "winter"


@frozen
class Place:
    """A nested value in a schema."""

    city: str
    height: float = 0.0


@tool(risk="read")
def weather(city: str, days: int = 1) -> str:
    """Weather in a city,
    for some days.

    Not shown to the model.
    """
    return f"rain in {city} for {days}"


@tool(risk="irreversible", timeout=5, idempotent=True)
async def pay(invoice: str, amount: Decimal, *, context: ToolContext) -> str:
    """Pay one invoice."""
    return f"{invoice} {amount} {context.idempotency_key}"


@tool(risk="reversible")
def note(place: Place, season: Season, on: datetime.date | None = None, heights: tuple[float, ...] = ()) -> Place:
    """Note a place."""
    return place


@tool(risk="read")
def anything(values: dict[str, list[float]], names: dict[int, str] | None = None) -> str:
    """Take nested values."""
    return ""


# What a tool is.


def test_a_tool_knows_what_was_declared() -> None:
    assert (pay.name, pay.risk, pay.timeout, pay.idempotent) == ("pay", Risk.IRREVERSIBLE, 5.0, True)


def test_defaults_are_30_seconds_and_not_idempotent() -> None:
    assert (weather.timeout, weather.idempotent) == (30.0, False)


def test_the_description_is_the_first_paragraph() -> None:
    assert weather.description == "Weather in a city, for some days."


def test_the_name_may_be_given() -> None:
    @tool(risk="read", name="look-up")
    def function() -> str:
        """Look up."""
        return ""

    assert (function.name, function.schema.name) == ("look-up", "look-up")


@pytest.mark.parametrize("risk", list(Risk))
def test_the_risk_may_be_the_enum(risk: Risk) -> None:
    def function() -> str:
        """Do nothing."""
        return ""

    assert tool(risk=risk)(function).risk is risk


def test_a_tool_stays_callable() -> None:
    assert weather("Bergen", days=2) == "rain in Bergen for 2"


async def test_an_async_tool_stays_callable() -> None:
    assert await pay("7", Decimal(1), context=CONTEXT) == "7 1 r1:c1"


def test_a_method_of_an_object_may_be_a_tool() -> None:
    class Bank:
        def balance(self, account: str) -> int:
            """Balance of an account."""
            return len(account)

    balance = tool(risk="read")(Bank().balance)

    assert balance.parse({"account": "abc"}) == {"account": "abc"}


# What is refused at declaration.


def no_hint(city) -> str:  # type: ignore[no-untyped-def]  # the mistake under test
    """Weather."""
    return ""


def no_docstring(city: str) -> str:
    return ""


def any_number(*cities: str) -> str:
    """Weather."""
    return ""


def any_name(**cities: str) -> str:
    """Weather."""
    return ""


def positional(city: str, /) -> str:
    """Weather."""
    return ""


def forged(context: ToolContext) -> str:
    """Take a context from the model."""
    return ""


def renamed(*, where: ToolContext) -> str:
    """Take a context under another name."""
    return ""


def optional(*, where: ToolContext | None = None) -> str:
    """Take a context from the model, or none."""
    return ""


def no_schema(city: threading.Lock) -> str:
    """Take what JSON does not have."""
    return ""


def mutable_default(cities: list[str] = ["Bergen"]) -> str:  # noqa: B006  # the mistake under test
    """Take a list."""
    return ""


def unknown_hint(city: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821  # the mistake under test
    """Take what is not defined."""
    return ""


def yields(city: str) -> Iterator[str]:
    """Give many results."""
    yield city


async def yields_later(city: str) -> AsyncIterator[str]:
    """Give many results."""
    yield city


@pytest.mark.parametrize(
    ("function", "message"),
    [
        pytest.param(no_hint, r"^parameter 'city' of tool 'no_hint' has no type hint: add one", id="no-hint"),
        pytest.param(no_docstring, r"^tool 'no_docstring' has no docstring: say in its first", id="no-docstring"),
        pytest.param(
            any_number, r"^parameter 'cities' of tool 'any_number' takes any number of values: name", id="args"
        ),
        pytest.param(any_name, r"^parameter 'cities' of tool 'any_name' takes any number of values: name", id="kwargs"),
        pytest.param(positional, r"^parameter 'city' of tool 'positional' is positional-only: drop", id="positional"),
        pytest.param(forged, r"^parameter 'context' of tool 'forged' is a ToolContext the model would", id="forged"),
        pytest.param(renamed, r"^parameter 'where' of tool 'renamed' is a ToolContext the model would", id="renamed"),
        pytest.param(optional, r"^parameter 'where' of tool 'optional' is a ToolContext the model", id="optional"),
        pytest.param(no_schema, r"^no JSON Schema can be made for tool 'no_schema' \(.*lock.*\): use text", id="type"),
        pytest.param(
            mutable_default,
            r"^no JSON Schema can be made for tool 'mutable_default' \(.*mutable.*defaults that cannot be changed",
            id="mutable-default",
        ),
        pytest.param(
            unknown_hint,
            r"^the type hints of tool 'unknown_hint' cannot be read \(name 'Nowhere' .*\): use names defined",
            id="unknown-hint",
        ),
        pytest.param(yields, r"^tool 'yields' yields: return one result instead", id="generator"),
        pytest.param(yields_later, r"^tool 'yields_later' yields: return one result", id="async-generator"),
        pytest.param(lambda: "", r"^'<lambda>' is no name for a tool: give name= 1 to 64 letters", id="lambda"),
        pytest.param(
            Place, r"^<class .*Place'> cannot be a tool: put @tool\(risk=\.\.\.\) above a function", id="class"
        ),
    ],
)
def test_a_badly_declared_function_is_refused(function: Callable[..., object], message: str) -> None:
    with pytest.raises(ToolFault, match=message):
        tool(risk="read")(function)


RISKS = r'write @tool\(risk="read"\), @tool\(risk="reversible"\) or @tool\(risk="irreversible"\)$'


def test_a_tool_without_parentheses_names_the_risks() -> None:
    with pytest.raises(ToolFault, match=rf"^the risk of 'positional' is missing: {RISKS}"):
        tool(positional)  # type: ignore[call-overload]  # the mistake under test


def test_a_tool_without_risk_names_the_risks() -> None:
    with pytest.raises(ToolFault, match=rf"^the risk is missing: {RISKS}"):
        tool()  # type: ignore[call-overload]  # the mistake under test


def test_an_unknown_risk_names_the_risks() -> None:
    with pytest.raises(ToolFault, match=rf"^the risk is 'safe': {RISKS}"):
        tool(risk="safe")  # type: ignore[call-overload]  # the mistake under test


def test_a_function_given_beside_the_risk_is_refused() -> None:
    with pytest.raises(ToolFault, match=r"^<function positional .* was given to tool\(\) directly: write tool\(risk="):
        tool(positional, risk="read")  # type: ignore[call-overload]  # the mistake under test


def test_a_tool_fault_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"^the risk is missing"):
        tool()  # type: ignore[call-overload]  # the mistake under test


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "café", "line\n"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(
        ToolFault, match=r"^'.*' is no name for a tool: give name= 1 to 64 letters, digits, '_' or '-'$"
    ):
        tool(risk="read", name=name)(positional)


@pytest.mark.parametrize("timeout", [0, -1.0, math.nan, math.inf, True, "5", None])
def test_a_bad_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(
        ToolFault, match=r"^timeout=.* of tool 'positional' is no time: give seconds, above 0 and finite$"
    ):
        tool(risk="read", timeout=timeout)(positional)


def test_a_bad_idempotent_is_refused() -> None:
    with pytest.raises(ToolFault, match=r"^idempotent='yes' of tool 'positional' is neither True nor False"):
        tool(risk="read", idempotent="yes")(positional)  # type: ignore[call-overload]  # the mistake under test


# What the model is told.


def test_the_schema_is_an_object_of_the_parameters() -> None:
    assert weather.schema == ToolSchema(
        "weather",
        "Weather in a city, for some days.",
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}},
            "required": ["city"],
            "additionalProperties": False,
        },
    )


def test_nested_types_stay_definitions() -> None:
    properties, definitions = note.schema.parameters["properties"], note.schema.parameters["$defs"]

    assert isinstance(properties, dict)
    assert isinstance(definitions, dict)
    assert properties["place"] == {"$ref": "#/$defs/Place"}
    assert set(definitions) == {"Place", "Season"}


def test_annotations_bound_and_describe_a_parameter() -> None:
    @tool(risk="read")
    def wait(seconds: Annotated[int, msgspec.Meta(ge=1, description="how long")]) -> None:
        """Wait."""

    assert wait.schema.parameters["properties"] == {
        "seconds": {"type": "integer", "minimum": 1, "description": "how long"}
    }


def test_a_tool_without_parameters_has_an_empty_object() -> None:
    @tool(risk="read")
    def now() -> str:
        """The time."""
        return ""

    assert now.schema.parameters == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_the_context_is_not_in_the_schema() -> None:
    assert pay.wants_context
    assert pay.schema.parameters["required"] == ["invoice", "amount"]


def test_a_context_of_another_type_is_an_ordinary_parameter() -> None:
    @tool(risk="read")
    def explain(*, context: str) -> str:
        """Explain a context."""
        return context

    assert not explain.wants_context
    assert explain.parse({"context": "here"}) == {"context": "here"}


# What a call is given.


def test_arguments_become_the_declared_types() -> None:
    given = {"place": {"city": "Voss", "height": 57}, "season": "winter", "on": "2026-11-20", "heights": [1, 2.5]}

    assert note.parse(given) == {
        "place": Place("Voss", 57.0),
        "season": Season.WINTER,
        "on": datetime.date(2026, 11, 20),
        "heights": (1.0, 2.5),
    }


def test_defaults_are_filled_in() -> None:
    assert weather.parse({"city": "Bergen"}) == {"city": "Bergen", "days": 1}


def test_keys_that_json_had_to_write_as_text_are_read_back() -> None:
    assert anything.parse({"values": {}, "names": {"7": "x"}})["names"] == {7: "x"}


PAID = {"invoice": "7", "amount": "1"}


@pytest.mark.parametrize(
    ("which", "arguments", "detail"),
    [
        pytest.param(weather, {}, "Object missing required field `city`", id="missing"),
        pytest.param(weather, {"city": "x", "day": 1}, "Object contains unknown field `day`", id="unknown"),
        pytest.param(weather, {"city": 5}, "Expected `str`, got `int` - at `$.city`", id="type"),
        pytest.param(weather, {"city": "x", "days": "2"}, "Expected `int`, got `str` - at `$.days`", id="no-coercion"),
        pytest.param(weather, {"city": "x", "days": True}, "Expected `int`, got `bool` - at `$.days`", id="bool"),
        pytest.param(weather, ["x"], "Expected `object`, got `array`", id="no-object"),
        pytest.param(note, {"place": {"city": 1}}, "Expected `str`, got `int` - at `$.place.city`", id="nested"),
        pytest.param(pay, PAID | {"context": {}}, "Object contains unknown field `context`", id="context"),
    ],
)
def test_bad_arguments_say_where(which: Tool, arguments: dict[str, object], detail: str) -> None:
    with pytest.raises(BadArguments) as caught:
        which.parse(arguments)

    assert (caught.value.tool, caught.value.detail) == (which.name, detail)


@pytest.mark.parametrize(
    ("which", "arguments", "path"),
    [
        pytest.param(pay, PAID | {"amount": "NaN"}, "$.amount", id="decimal"),
        pytest.param(pay, PAID | {"amount": "sNaN"}, "$.amount", id="signalling-decimal"),
        pytest.param(anything, {"values": {"a": [1, math.nan]}}, "$.values.a[1]", id="nan"),
        pytest.param(anything, {"values": {"a": [-math.inf]}}, "$.values.a[0]", id="infinity"),
    ],
)
def test_numbers_that_are_none_are_refused(which: Tool, arguments: dict[str, object], path: str) -> None:
    with pytest.raises(BadArguments) as caught:
        which.parse(arguments)

    assert caught.value.detail == f"Expected a finite number - at `{path}`"


def test_bad_arguments_name_the_tool_and_what_it_takes() -> None:
    with pytest.raises(
        BadArguments,
        match=r"^bad arguments for tool 'weather': .* `city`; it takes city, days: call it again as its schema",
    ):
        weather.parse({})


def test_a_large_decimal_is_finite() -> None:
    assert pay.parse({"invoice": "7", "amount": "1e999"})["amount"] == Decimal("1e999")


def test_arguments_nested_too_deep_are_bad_arguments() -> None:
    @tool(risk="read")
    def take(value: dict[str, list]) -> str:  # type: ignore[type-arg]  # a list of anything
        """Take a list of anything."""
        return ""

    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(BadArguments, match=r"^bad arguments for tool 'take': .*recursion"):
        take.parse({"value": {"x": deep}})


# The call.


async def test_an_async_function_is_awaited() -> None:
    kwargs = pay.parse({"invoice": "7", "amount": "1.50"})

    assert await pay.call(kwargs, CONTEXT) == "7 1.50 r1:c1"


async def test_a_plain_function_runs_in_a_thread() -> None:
    @tool(risk="read")
    def where() -> int:
        """The thread."""
        return threading.get_ident()

    assert await where.call({}, CONTEXT) != threading.get_ident()


async def test_a_plain_function_that_gives_a_coroutine_is_awaited() -> None:
    async def slow(city: str) -> str:
        """Weather."""
        return city

    @functools.wraps(slow)
    def logged(city: str) -> object:
        return slow(city)

    assert await tool(risk="read")(logged).call({"city": "Bergen"}, CONTEXT) == "Bergen"


async def test_an_error_of_the_function_is_raised_as_it_is() -> None:
    @tool(risk="read")
    def fail() -> str:
        """Fail."""
        raise LookupError("no such city")

    with pytest.raises(LookupError, match=r"^no such city$"):
        await fail.call({}, CONTEXT)


async def test_a_hanging_thread_does_not_hold_a_cancelled_call() -> None:
    release = threading.Event()
    scope = anyio.CancelScope()

    loop = asyncio.get_running_loop()

    @tool(risk="read")
    def hang() -> None:
        """Hang."""
        loop.call_soon_threadsafe(scope.cancel)
        release.wait(30)

    with scope:
        await hang.call({}, CONTEXT)
    release.set()

    assert scope.cancelled_caught


# The result.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "null", id="none"),
        pytest.param("rain", '"rain"', id="text"),
        pytest.param({"a": [1, 2.5, True]}, '{"a":[1,2.5,true]}', id="plain"),
        pytest.param(Place("Voss"), '{"city":"Voss","height":0.0}', id="attrs"),
        pytest.param([Season.WINTER, Decimal("1.50")], '["winter","1.50"]', id="enum-and-decimal"),
        pytest.param(datetime.date(2026, 11, 20), '"2026-11-20"', id="date"),
    ],
)
def test_a_result_is_rendered_as_json(value: object, text: str) -> None:
    assert weather.render(value) == text


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param(object(), "object", id="object"),
        pytest.param([{"a": threading.Event()}], "list", id="nested"),
        pytest.param("\ud800", "str", id="half-a-character"),
        pytest.param(LOOP, "list", id="holds-itself"),
    ],
)
def test_a_result_that_is_no_json_names_tool_and_type(value: object, kind: str) -> None:
    with pytest.raises(
        BadResult, match=rf"^tool 'weather' gave back a {kind} that cannot be written as JSON \(.*return"
    ):
        weather.render(value)


# The source.


def test_the_source_hash_is_that_of_the_text_without_its_layout() -> None:
    source = normalised(inspect.getsource(weather.function)).encode()

    assert weather.source_hash() == hashlib.sha256(source).hexdigest()


def declared(body: str) -> Tool:
    """A tool without a source file."""
    names: dict[str, object] = {"tool": tool}
    exec(f'@tool(risk="read")\ndef pick(city: str) -> object:\n    "Pick."\n    return {body}', names)
    made = names["pick"]
    assert isinstance(made, Tool)
    return made


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param("city + '1'", True, id="same"),
        pytest.param("city + '2'", False, id="constant"),
        pytest.param("city * 1", False, id="operation"),
        pytest.param("[each + '2' for each in city]", False, id="nested"),
    ],
)
def test_without_source_the_bytecode_is_hashed(other: str, same: bool) -> None:
    assert (declared("city + '1'").source_hash() == declared(other).source_hash()) is same


def test_a_constant_in_a_nested_function_counts() -> None:
    one, two = declared("(lambda: 'one')()"), declared("(lambda: 'two')()")

    assert one.source_hash() != two.source_hash()


def test_options_and_helpers_count_into_the_hash() -> None:
    def book(what: str) -> str:
        """Book."""
        return what

    def cancel(what: str) -> None:
        """Cancel."""

    plain = tool(risk="reversible")(book).source_hash()
    options: list[ToolOptions] = [
        {"calls_per_run": 3},
        {"calls_per_run": 4},
        {"rate": Rate(3)},
        {"fallback": "none"},
        {"fallback": "nothing"},
        {"undo": cancel},
        {"check": "ask the bank"},
    ]

    hashes = [tool(risk="reversible", **each)(book).source_hash() for each in options]

    assert len({plain, *hashes}) == len(options) + 1
    assert tool(risk="reversible", retries=None)(book).source_hash() == plain
