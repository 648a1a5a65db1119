"""What a policy may say of what it looked at, from the mildest to the strictest."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen


@frozen
class Allow:
    """It may pass. For a call this replaces the default of its risk class, and no other policy's word."""

    reason: str = ""


@frozen(kw_only=True)
class Rewrite:
    """Something else passes instead: `arguments` of a call, `text` of all else. Later policies see the new form."""

    arguments: dict[str, object] | None = None
    text: str | None = None
    reason: str = ""


@frozen
class Ask:
    """A person decides; with `approvers` only these may."""

    reason: str
    approvers: tuple[str, ...] = ()


@frozen
class Escalate:
    """A person decides whom this kind of question is escalated to."""

    reason: str
    approvers: tuple[str, ...] = ()


@frozen
class Deny:
    """It does not pass. The model reads the reason and may do otherwise; a goal that is denied ends its run."""

    reason: str


@frozen
class End:
    """It does not pass, and the run ends as denied."""

    reason: str


Verdict: TypeAlias = Allow | Rewrite | Ask | Escalate | Deny | End
