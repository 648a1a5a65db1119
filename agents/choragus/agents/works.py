"""What a runtime works with: imported when the first one is made, so that who declares agents does not wait for it."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING

from choragus.mailbox.door import lazily

if TYPE_CHECKING:
    from choragus.actors.w3c import in_trace
    from choragus.mailbox.codec import Record, decode_as
    from choragus.mailbox.memory import MemoryStore
    from choragus.mailbox.reader import Reader
    from choragus.mailbox.sqlite import SqliteStore
    from choragus.supervision.spec import Region
    from choragus.supervision.system import System

    from .account import Account
    from .assessing import SuccessRunner
    from .attention import waiting
    from .baseline import Baseline
    from .context.runner import block_editor, context_runners
    from .context.sharing import SharedBlock
    from .control import PauseRun, ResumeRun, StartChild
    from .desk import PARTS, Desk
    from .draining import Door, Doorkeeper, closed
    from .evaluation.record import Evaluation, is_trial_of
    from .following import thread_id, thread_stream
    from .fork import check_fork, fork_id, parent, standing_at
    from .herald import Herald, Teller, keep_telling
    from .holding import Unfinished, sorted_runs
    from .inspection import approvals, find_run, find_summary, runs, unfinished, unknowns
    from .knowledge.biographer import Biographer
    from .knowledge.declaration import Library, by_name, checked_episodes
    from .knowledge.librarian import Librarian
    from .knowledge.opening import Libraries
    from .ledger import LedgerSummary, check_ledgers, ledgers, ledgers_by_name
    from .logbook.asking import logged
    from .manifest import manifest
    from .mcp.catalogue import Catalogue, wanted
    from .mcp.pinbook import AcceptTools, Pinbook, SawTools
    from .message import ORCHESTRATOR, CancelRun, ForkRun, StartRun, Verdict
    from .model_gateway.provision import gateway_for
    from .offering import check_prices, release
    from .orchestrator import Orchestrator
    from .plan.giving import check_plan
    from .retention import prune_runs
    from .rulebook import MAIN, Rulebook
    from .rules import Rules
    from .run import Run
    from .service import Services
    from .speaking import check_text, last_run, said, say
    from .speech import Place
    from .state import Status
    from .stream import conversation_stream
    from .telemetry.declaration import Telemetry
    from .telemetry.host import begun_in
    from .tenancy import check_same, check_tenant
    from .toolbelt.breaking import BreakerMoved
    from .toolbelt.execution import Toolbelt
    from .toolbelt.provision import check_grant, check_resources, secret_names
    from .toolbelt.secret import Vault
    from .tracing import Tracing
    from .version.evaluated import Evaluations
    from .version.message import NoteRefused
    from .version.migration import aliases, checked
    from .version.record import REFUSED
    from .version.registrar import Registrar
    from .visit import recorded

__all__ = [
    "MAIN",
    "ORCHESTRATOR",
    "PARTS",
    "REFUSED",
    "AcceptTools",
    "Account",
    "Baseline",
    "Biographer",
    "BreakerMoved",
    "CancelRun",
    "Catalogue",
    "Desk",
    "Door",
    "Doorkeeper",
    "Evaluation",
    "Evaluations",
    "ForkRun",
    "Herald",
    "LedgerSummary",
    "Librarian",
    "Libraries",
    "Library",
    "MemoryStore",
    "NoteRefused",
    "Orchestrator",
    "PauseRun",
    "Pinbook",
    "Place",
    "Reader",
    "Record",
    "Region",
    "Registrar",
    "ResumeRun",
    "Rulebook",
    "Rules",
    "Run",
    "SawTools",
    "Services",
    "SharedBlock",
    "SqliteStore",
    "StartChild",
    "StartRun",
    "Status",
    "SuccessRunner",
    "System",
    "Telemetry",
    "Teller",
    "Toolbelt",
    "Tracing",
    "Unfinished",
    "Vault",
    "Verdict",
    "aliases",
    "approvals",
    "begun_in",
    "block_editor",
    "by_name",
    "check_fork",
    "check_grant",
    "check_ledgers",
    "check_plan",
    "check_prices",
    "check_resources",
    "check_same",
    "check_tenant",
    "check_text",
    "checked",
    "checked_episodes",
    "closed",
    "context_runners",
    "conversation_stream",
    "decode_as",
    "find_run",
    "find_summary",
    "fork_id",
    "gateway_for",
    "in_trace",
    "is_trial_of",
    "keep_telling",
    "last_run",
    "ledgers",
    "ledgers_by_name",
    "logged",
    "manifest",
    "parent",
    "prune_runs",
    "recorded",
    "release",
    "runs",
    "said",
    "say",
    "secret_names",
    "sorted_runs",
    "standing_at",
    "thread_id",
    "thread_stream",
    "unfinished",
    "unknowns",
    "waiting",
    "wanted",
]

_MODULES = {
    "choragus.actors.w3c": ("in_trace",),
    "choragus.mailbox.codec": ("Record", "decode_as"),
    "choragus.mailbox.memory": ("MemoryStore",),
    "choragus.mailbox.reader": ("Reader",),
    "choragus.mailbox.sqlite": ("SqliteStore",),
    "choragus.supervision.spec": ("Region",),
    "choragus.supervision.system": ("System",),
    ".account": ("Account",),
    ".assessing": ("SuccessRunner",),
    ".attention": ("waiting",),
    ".baseline": ("Baseline",),
    ".context.runner": (
        "block_editor",
        "context_runners",
    ),
    ".context.sharing": ("SharedBlock",),
    ".control": (
        "PauseRun",
        "ResumeRun",
        "StartChild",
    ),
    ".desk": (
        "Desk",
        "PARTS",
    ),
    ".draining": (
        "Door",
        "Doorkeeper",
        "closed",
    ),
    ".evaluation.record": (
        "Evaluation",
        "is_trial_of",
    ),
    ".following": (
        "thread_id",
        "thread_stream",
    ),
    ".fork": (
        "check_fork",
        "fork_id",
        "parent",
        "standing_at",
    ),
    ".herald": (
        "Herald",
        "Teller",
        "keep_telling",
    ),
    ".holding": (
        "Unfinished",
        "sorted_runs",
    ),
    ".inspection": (
        "approvals",
        "find_run",
        "find_summary",
        "runs",
        "unfinished",
        "unknowns",
    ),
    ".knowledge.biographer": ("Biographer",),
    ".knowledge.declaration": (
        "Library",
        "by_name",
        "checked_episodes",
    ),
    ".knowledge.librarian": ("Librarian",),
    ".knowledge.opening": ("Libraries",),
    ".ledger": (
        "LedgerSummary",
        "check_ledgers",
        "ledgers",
        "ledgers_by_name",
    ),
    ".logbook.asking": ("logged",),
    ".manifest": ("manifest",),
    ".mcp.catalogue": (
        "Catalogue",
        "wanted",
    ),
    ".mcp.pinbook": (
        "AcceptTools",
        "Pinbook",
        "SawTools",
    ),
    ".message": (
        "CancelRun",
        "ForkRun",
        "ORCHESTRATOR",
        "StartRun",
        "Verdict",
    ),
    ".model_gateway.provision": ("gateway_for",),
    ".offering": (
        "check_prices",
        "release",
    ),
    ".orchestrator": ("Orchestrator",),
    ".plan.giving": ("check_plan",),
    ".retention": ("prune_runs",),
    ".rulebook": (
        "MAIN",
        "Rulebook",
    ),
    ".rules": ("Rules",),
    ".run": ("Run",),
    ".service": ("Services",),
    ".speaking": (
        "check_text",
        "last_run",
        "said",
        "say",
    ),
    ".speech": ("Place",),
    ".state": ("Status",),
    ".stream": ("conversation_stream",),
    ".telemetry.declaration": ("Telemetry",),
    ".telemetry.host": ("begun_in",),
    ".tenancy": (
        "check_same",
        "check_tenant",
    ),
    ".toolbelt.breaking": ("BreakerMoved",),
    ".toolbelt.execution": ("Toolbelt",),
    ".toolbelt.provision": (
        "check_grant",
        "check_resources",
        "secret_names",
    ),
    ".toolbelt.secret": ("Vault",),
    ".tracing": ("Tracing",),
    ".version.evaluated": ("Evaluations",),
    ".version.message": ("NoteRefused",),
    ".version.migration": (
        "aliases",
        "checked",
    ),
    ".version.record": ("REFUSED",),
    ".version.registrar": ("Registrar",),
    ".visit": ("recorded",),
}
"""Where the names are defined, as the imports above say it too."""

_TRACING = frozenset({".telemetry.declaration", ".tracing"})
"""Those of them that only a runtime with telemetry needs."""

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _MODULES)


def load(*, tracing: bool) -> None:
    """Import all of it now: what is imported later, on the event loop, holds that up.

    The garbage collector rests meanwhile: there is none, and looking for it takes a twelfth of the time.
    """
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        for module in _MODULES if tracing else [one for one in _MODULES if one not in _TRACING]:
            import_module(module, __package__)
    finally:
        if is_collecting:
            gc.enable()
