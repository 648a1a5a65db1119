"""What a tool must declare before an agent gets it, and whether that is true."""

from __future__ import annotations

import pytest

from choragus.agents import ToolFault, tool
from choragus.agents.testing import NotReadOnly, check_reads


def test_s4_a_tool_without_a_risk_is_refused() -> None:
    def transfer(amount: int) -> str:
        """Move money."""
        return "moved"

    with pytest.raises(ToolFault, match="the risk is missing: write @tool"):
        tool()(transfer)  # type: ignore[call-overload]  # the fault that is tested

    with pytest.raises(ToolFault, match="is 'safe'"):
        tool(risk="safe")(transfer)  # type: ignore[call-overload]  # the fault that is tested


async def test_s5_a_tool_that_claims_to_read_and_changes_something_is_found() -> None:
    unread = ["a letter"]

    @tool(risk="read")
    def letters() -> list[str]:
        """Every unread letter; marks them as read."""
        found = list(unread)
        unread.clear()
        return found

    with pytest.raises(NotReadOnly, match=r"'letters' is declared to read, and changed \['a letter'\] to \[\]"):
        await check_reads(letters, {}, world=lambda: list(unread))


async def test_s5_a_tool_that_reads_passes_and_one_that_changes_openly_is_no_case() -> None:
    @tool(risk="read")
    def letters() -> list[str]:
        """Every unread letter."""
        return ["a letter"]

    @tool(risk="reversible")
    def mark() -> None:
        """Mark all as read."""

    await check_reads(letters, {}, world=lambda: 1)
    with pytest.raises(ValueError, match="'mark' is declared 'reversible'"):
        await check_reads(mark, {}, world=lambda: 1)
