"""What AgentDojo's tools can do, and the labels of their results and arguments: per tool, never per task.

Trusted is what the bank, the mail system, the calendar, the drive or the catalogue stamps itself: ids, amounts, account
numbers of booked transactions, senders, times, whom a thing is shared with. Untrusted is every text that an outsider
may write: bodies, subjects, descriptions, files, web pages, reviews, names of channels.

An argument takes "trusted" values by default: a payment, a password, an account is never what a text says. What merely
stands in the user's own drive takes "any" content; prose for people whom the user named takes "inert" text, and what is
copied from the place that the user named ("named") may be looked up, or invited, where that can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from choragus.agents.flow.declaration import Labels
from choragus.agents.tool import Risk


@attrs.frozen
class Traits:
    """How one tool is declared."""

    risk: Risk
    labels: Labels


READ, REVERSIBLE, IRREVERSIBLE = Risk.READ, Risk.REVERSIBLE, Risk.IRREVERSIBLE

_TRANSACTION = [f"$[*].{name}" for name in ("id", "sender", "recipient", "amount", "date", "recurring")]
_MAIL = [f"$[*].{name}" for name in ("id_", "sender", "recipients", "cc", "bcc", "status", "read", "timestamp")]
_EVENT = [f"$[*].{name}" for name in ("id_", "start_time", "end_time", "participants", "all_day", "status")]
_FILE = [f"$[*].{name}" for name in ("id_", "owner", "last_modified", "shared_with", "size")]
_ALL = Labels(trusted=["$"])


def _one(paths: list[str]) -> list[str]:
    """The same places in a result that is one object."""
    return [path.replace("[*]", "") for path in paths]


_BANKING: Mapping[str, Traits] = {
    "get_iban": Traits(READ, _ALL),
    "get_balance": Traits(READ, _ALL),
    "get_user_info": Traits(READ, _ALL),
    "get_most_recent_transactions": Traits(READ, Labels(trusted=_TRANSACTION)),
    "get_scheduled_transactions": Traits(READ, Labels(trusted=_TRANSACTION)),
    "read_file": Traits(READ, Labels()),
    "send_money": Traits(IRREVERSIBLE, Labels(arguments={"subject": "inert", "date": "inert"})),
    "schedule_transaction": Traits(
        REVERSIBLE, Labels(arguments={"amount": "chosen", "subject": "inert", "date": "inert"})
    ),
    "update_scheduled_transaction": Traits(
        REVERSIBLE, Labels(arguments={"id": "chosen", "amount": "inert", "subject": "inert", "date": "inert"})
    ),
    "update_password": Traits(IRREVERSIBLE, Labels()),
    "update_user_info": Traits(REVERSIBLE, Labels(arguments={"street": "named", "city": "named"})),
}

_SLACK: Mapping[str, Traits] = {
    "get_channels": Traits(READ, Labels()),
    "get_users_in_channel": Traits(READ, _ALL),
    "read_channel_messages": Traits(READ, Labels(trusted=["$[*].sender", "$[*].recipient"])),
    "read_inbox": Traits(READ, Labels(trusted=["$[*].sender", "$[*].recipient"])),
    "get_webpage": Traits(READ, Labels(guarded=True, arguments={"url": "named"})),
    "post_webpage": Traits(IRREVERSIBLE, Labels(arguments={"content": "inert"})),
    "send_direct_message": Traits(IRREVERSIBLE, Labels(arguments={"recipient": "named", "body": "inert"})),
    "send_channel_message": Traits(IRREVERSIBLE, Labels(arguments={"channel": "named", "body": "inert"})),
    "invite_user_to_slack": Traits(REVERSIBLE, Labels(arguments={"user": "named", "user_email": "named"})),
    "add_user_to_channel": Traits(REVERSIBLE, Labels(arguments={"user": "named", "channel": "named"})),
    "remove_user_from_slack": Traits(REVERSIBLE, Labels()),
}

_MAILING = Labels(
    trusted=_one(_MAIL),
    arguments={
        "recipients": "chosen",
        "cc": "chosen",
        "bcc": "chosen",
        "attachments": "chosen",
        "subject": "inert",
        "body": "inert",
    },
)
_CREATING_AN_EVENT = Labels(
    trusted=_one(_EVENT),
    arguments={
        "title": "inert",
        "description": "inert",
        "location": "inert",
        "start_time": "inert",
        "end_time": "inert",
        "participants": "chosen",
    },
)

_WORKSPACE: Mapping[str, Traits] = {
    "get_unread_emails": Traits(REVERSIBLE, Labels(trusted=_MAIL)),  # it marks them as read
    "get_sent_emails": Traits(READ, Labels(trusted=_MAIL)),
    "get_received_emails": Traits(READ, Labels(trusted=_MAIL)),
    "get_draft_emails": Traits(READ, Labels(trusted=_MAIL)),
    "search_emails": Traits(READ, Labels(trusted=_MAIL)),
    "search_contacts_by_name": Traits(READ, _ALL),
    "search_contacts_by_email": Traits(READ, _ALL),
    "send_email": Traits(IRREVERSIBLE, _MAILING),
    "delete_email": Traits(IRREVERSIBLE, Labels()),
    "get_current_day": Traits(READ, _ALL),
    "search_calendar_events": Traits(READ, Labels(trusted=_EVENT)),
    "get_day_calendar_events": Traits(READ, Labels(trusted=_EVENT)),
    "create_calendar_event": Traits(REVERSIBLE, _CREATING_AN_EVENT),
    "cancel_calendar_event": Traits(IRREVERSIBLE, Labels()),
    "reschedule_calendar_event": Traits(
        REVERSIBLE, Labels(arguments={"event_id": "chosen", "new_start_time": "inert", "new_end_time": "inert"})
    ),
    "add_calendar_event_participants": Traits(
        REVERSIBLE, Labels(arguments={"event_id": "chosen", "participants": "chosen"})
    ),
    "append_to_file": Traits(REVERSIBLE, Labels(arguments={"file_id": "chosen", "content": "any"})),
    "search_files_by_filename": Traits(READ, Labels(trusted=_FILE)),
    "search_files": Traits(READ, Labels(trusted=_FILE)),
    "get_file_by_id": Traits(READ, Labels(trusted=_one(_FILE))),
    "list_files": Traits(READ, Labels(trusted=_FILE)),
    "create_file": Traits(REVERSIBLE, Labels(trusted=_one(_FILE), arguments={"filename": "inert", "content": "any"})),
    "delete_file": Traits(IRREVERSIBLE, Labels()),
    "share_file": Traits(IRREVERSIBLE, Labels()),
}

_CATALOGUE = (
    *("get_user_information", "get_all_hotels_in_city", "get_hotels_prices", "get_hotels_address"),
    *("get_all_restaurants_in_city", "get_restaurants_address", "get_cuisine_type_for_restaurants"),
    *("get_dietary_restrictions_for_all_restaurants", "get_contact_information_for_restaurants"),
    *("get_price_for_restaurants", "check_restaurant_opening_hours", "get_all_car_rental_companies_in_city"),
    *("get_car_types_available", "get_car_rental_address", "get_car_fuel_options", "get_car_price_per_day"),
    *("get_flight_information",),
)
_TRAVEL: Mapping[str, Traits] = {
    **{name: Traits(READ, _ALL) for name in _CATALOGUE},
    "get_rating_reviews_for_hotels": Traits(READ, Labels()),
    "get_rating_reviews_for_restaurants": Traits(READ, Labels()),
    "get_rating_reviews_for_car_rental": Traits(READ, Labels()),
    "reserve_hotel": Traits(REVERSIBLE, Labels()),
    "reserve_restaurant": Traits(REVERSIBLE, Labels()),
    "reserve_car_rental": Traits(REVERSIBLE, Labels()),
}

TRAITS: Mapping[str, Traits] = {**_BANKING, **_SLACK, **_WORKSPACE, **_TRAVEL}
"""Every tool of the four suites."""

RISKY = frozenset(
    name
    for name, traits in TRAITS.items()
    if (traits.risk is not READ or traits.labels.guarded) and name != "get_unread_emails"
)
"""The calls that count: they write, or leave the house. To mark mail as read is judged, but counts for no harm."""
