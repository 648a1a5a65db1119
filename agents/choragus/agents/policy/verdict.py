"""What a policy says about a check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import frozen


@frozen
class Allow:
    """Go ahead, whatever the risk class says by default."""

    reason: str = ""


@frozen
class Deny:
    """Do not; the model may read the reason."""

    reason: str


@frozen(kw_only=True)
class Rewrite:
    """Go on with these arguments, or this text, instead."""

    arguments: Mapping[str, object] | None = None
    text: str | None = None
    reason: str = ""


@frozen
class Ask:
    """A person decides."""

    reason: str
    approvers: tuple[str, ...] = ()


@frozen
class Escalate:
    """A person decides, and an attention is raised besides."""

    reason: str


@frozen
class End:
    """End the run."""

    reason: str


Verdict: TypeAlias = Allow | Deny | Rewrite | Ask | Escalate | End
