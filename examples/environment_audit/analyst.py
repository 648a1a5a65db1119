"""The offline stand-in for a language model: it decides what to do next from the request alone.

It sees what a provider would be sent and keeps nothing between two requests, so a result that is taken away or changed
changes the next decision.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import attrs

from choragus.agents.model import ModelReply, ModelRequest, ToolCall

from .conclusion import conclude, listing
from .evidence import Evidence, gather
from .filing import Filed, Written
from .inventory import ListedDistribution, clip
from .report import Kind
from .requirement import RequirementCheck

AT_ONCE = 4  # calls in one reply

PHRASES: Mapping[Kind, tuple[str, str]] = {
    "conflicting_requirement": ("conflicting requirement", "conflicting requirements"),
    "unmet_requirement": ("unmet requirement", "unmet requirements"),
    "undecided_requirement": ("undecided requirement", "undecided requirements"),
    "invalid_requirement": ("invalid requirement", "invalid requirements"),
    "absent_file": ("absent file", "absent files"),
    "changed_file": ("changed file", "changed files"),
    "suspicious_record": ("suspicious RECORD row", "suspicious RECORD rows"),
    "missing_licence": ("missing licence", "missing licences"),
    "unusual_licence": ("unusual licence", "unusual licences"),
    "duplicate": ("name installed twice", "names installed twice"),
    "unreadable_metadata": ("unreadable metadata", "unreadable metadata"),
    "unreadable_files": ("unverifiable RECORD or file", "unverifiable RECORDs or files"),
    "failed_check": ("failed check", "failed checks"),
}


@attrs.frozen
class _Want:
    tool: str
    arguments: dict[str, object]

    @property
    def subject(self) -> str:
        return str(self.arguments.get("distribution", ""))


def decide(request: ModelRequest) -> ModelReply:
    """Return the next tool calls, or the final text when nothing is left to ask.

    The order is: list the distributions; check one after the other, four calls at most in a reply, and ask who else
    requires what is unmet or conflicting; write the report; file it; sum up. A question counts as answered when its
    tool answered, with an error too, so nothing is retried. Tools that the request does not offer are done without.
    """
    evidence = gather(request.messages)
    offered = {schema.name for schema in request.tools}
    for stage in (_survey, _inspect, _write, _file):
        wanted = [want for want in stage(evidence, offered) if want.tool in offered]
        if wanted:
            return ModelReply(calls=_calls(wanted[:AT_ONCE], evidence), stop="tool_calls")
    return ModelReply(text=_summary(evidence))


def _survey(evidence: Evidence, offered: set[str]) -> list[_Want]:
    return [] if evidence.has("list_distributions") else [_Want("list_distributions", {})]


def _inspect(evidence: Evidence, offered: set[str]) -> list[_Want]:
    """Return what is still to be asked on the first distribution that leaves a question open."""
    for entry in listing(evidence):
        questions = ((tool, subject) for tool, subject in _questions(evidence, entry) if tool in offered)
        open_ones = dict.fromkeys(question for question in questions if not evidence.has(*question))
        if open_ones:
            return [_Want(tool, {"distribution": subject}) for tool, subject in open_ones]
    return []


def _questions(evidence: Evidence, entry: ListedDistribution) -> Iterator[tuple[str, str]]:
    name = entry["name"]
    if entry["readable"]:
        yield "check_requirements", name
        yield "check_licence", name
    if not entry["folder"].startswith("~"):  # what an interrupted uninstall left: its RECORD speaks of other files
        yield "check_files", name
    check = evidence.get("check_requirements", name, RequirementCheck)
    for problem in [*check["conflicting"], *check["unmet"]] if check else []:
        yield "who_requires", problem["name"]


def _write(evidence: Evidence, offered: set[str]) -> list[_Want]:
    return [] if evidence.has("write_report") else [_Want("write_report", {"findings": conclude(evidence)})]


def _file(evidence: Evidence, offered: set[str]) -> list[_Want]:
    written = evidence.get("write_report", "", Written)
    if written is None or evidence.has("file_report"):
        return []
    return [_Want("file_report", {"report": written["report"], "sha256": written["sha256"]})]


def _calls(wanted: list[_Want], evidence: Evidence) -> tuple[ToolCall, ...]:
    """Number the calls by tool, on from those in the conversation, so the same request always gives the same ids."""
    count = Counter(evidence.calls)
    calls = []
    for want in wanted:
        count[want.tool] += 1
        calls.append(ToolCall(id=f"{want.tool}-{count[want.tool]}", name=want.tool, arguments=want.arguments))
    return tuple(calls)


def _summary(evidence: Evidence) -> str:
    names = {entry["name"] for entry in listing(evidence)}
    times = Counter(finding["kind"] for finding in conclude(evidence))
    counts = [f"{times[kind]} {PHRASES[kind][times[kind] != 1]}" for kind in PHRASES if times[kind]]
    audited = f"Audited {len(names)} {'distribution' if len(names) == 1 else 'distributions'}"
    return f"{audited}: {', '.join(counts) or 'nothing found'}. {_outcome(evidence)}"


def _outcome(evidence: Evidence) -> str:
    written = evidence.get("write_report", "", Written)
    if written is None:
        reason = clip(evidence.error("write_report")) or "there is no result of write_report"
        return f"The report was not written: {reason}."
    if not evidence.has("file_report"):
        return f"The report {written['report']} was written but not filed: file_report is not offered."
    if evidence.error("file_report"):
        reason = clip(evidence.error("file_report"))
        return f"The report {written['report']} was written but not filed: {reason}."
    filed = evidence.get("file_report", "", Filed)
    return f"The report is {written['report']}" + (f", filed as {filed['filed']}." if filed else ", and it is filed.")
