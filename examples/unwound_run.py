"""A trip that cannot be finished is taken back: what was booked is cancelled, the last booking first.

An agent books a flight and a hotel, and then needs a visa, which the person in charge denies and stops the run. Each
booking says how it is undone, and what it gave back is on disk. So `run.unwind()` cancels the hotel, and then the
flight. The airline's line is down at first: the unwinding stops there, says what remains, and a person lets it go on.
"""

from __future__ import annotations

import sys

import anyio
from attrs import define, field, frozen

from choragus.agents import (
    Agent,
    ApprovalRequested,
    ModelReply,
    Run,
    Runtime,
    ScriptedModel,
    ToolCall,
    ToolContext,
    tool,
)


@frozen
class Booking:
    """What a booking gives back; checked against the tool's return type."""

    number: str
    price: float


@define
class Agency:
    """The world outside: what is booked, by idempotency key, and whether the airline answers."""

    booked: dict[str, Booking] = field(factory=dict)
    airline_answers: bool = False

    def book(self, key: str, number: str, price: float) -> Booking:
        """The same key again gives the same booking."""
        return self.booked.setdefault(key, Booking(number, price))

    def cancel(self, number: str) -> None:
        """Cancel a booking; one that is cancelled already stays so."""
        if number.startswith("flight") and not self.airline_answers:
            raise ConnectionError("the airline does not answer")
        self.booked = {key: booking for key, booking in self.booked.items() if booking.number != number}


@tool(risk="reversible", idempotent=True)
async def cancel(result: Booking, *, context: ToolContext[Agency]) -> str:
    """Cancel a booking."""
    context.resources.cancel(result.number)
    print(f"   (cancelled: {result.number}, with the key {context.idempotency_key.partition('/')[2]})")
    return f"cancelled {result.number}"


@tool(risk="reversible", idempotent=True, undo=cancel)
async def book_flight(to: str, *, context: ToolContext[Agency]) -> Booking:
    """Book a flight."""
    return context.resources.book(context.idempotency_key, f"flight to {to}", 180.0)


@tool(risk="reversible", idempotent=True, undo=cancel)
async def book_hotel(town: str, *, context: ToolContext[Agency]) -> Booking:
    """Book a hotel."""
    return context.resources.book(context.idempotency_key, f"hotel in {town}", 95.0)


@tool(risk="irreversible")
async def order_visa(country: str) -> str:
    """Order a visa, which nobody takes back."""
    return f"visa for {country}"


def agent() -> Agent:
    """Its model is a script, so that no key and no network are needed."""
    trip = (ToolCall("a", "book_flight", {"to": "Bergen"}), ToolCall("b", "book_hotel", {"town": "Bergen"}))
    visa = (ToolCall("c", "order_visa", {"country": "Norway"}),)
    model = ScriptedModel([ModelReply(calls=trip), ModelReply(calls=visa), "The trip is booked."])
    return Agent("traveller", model=model, tools=[book_flight, book_hotel, order_visa])


async def until_stopped(run: Run) -> None:
    """What the run does, until the person in charge stops it."""
    async for event in run.events():
        if event.kind == "call.finished":
            print(f"{event.data['call']} {event.data['tool']}: {event.data['text']}")
        if isinstance(event, ApprovalRequested):
            print(f"{event.approval.call} {event.approval.tool}: mia says no, and stops the run")
            await run.cancel(by="mia", reason="the trip is off")


async def main() -> None:
    agency, traveller = Agency(), agent()
    async with Runtime(agents=[traveller], resources=agency) as runtime:
        run = await runtime.start(traveller, "Plan my trip to Bergen.")
        await until_stopped(run)
        print(f"the run is {(await run.status()).status.value}; still booked: {len(agency.booked)}")

        unwound = await run.unwind(by="mia")
        print(f"it stopped at {unwound.stopped}")

        agency.airline_answers = True
        await run.settle(unwound.left[-1], "not", by="mia")  # "it has not happened: do it now"
        unwound = await run.unwind(by="mia")  # waits until it has come to its end
        print(f"taken back, in this order: {', '.join(unwound.done)}; still booked: {len(agency.booked)}")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
