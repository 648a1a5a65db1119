"""The tool by which a model commits its plan."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from choragus.agents.tool import tool

from .declaration import Labels
from .plan import parse_plan

Json: TypeAlias = Annotated[object, msgspec.Meta(extra_json_schema={"title": "JSON"})]


@tool(risk="read", name="commit_plan", labels=Labels(plans=True))
async def commit_plan(calls: list[dict[str, Json]], open: bool = False) -> str:
    """Say, before you read anything that others have written, which calls you will make: [{"name": "mail", "tool":
    "search_mail", "arguments": {"query": "bill"}}, {"tool": "delete_mail", "arguments": {"id": {"$from": "mail",
    "path": "$[*].id", "where": {"sender": "bob@example.org"}}}}]. Calls as planned run without a question. open=true
    says that the user wants more done than can be planned now; a person is asked about that.
    """
    parse_plan(calls)
    return f"{len(calls)} calls are planned"
