"""What the spans and metrics of a run say of it: fields of the logbook, in the names of the conventions."""

from __future__ import annotations

from . import convention as names
from .convention import Convention
from .fact import Attributes, Fields, mapping, number, text, whole

_OF_A_REPLY = {"answered_by": names.RESPONSE_MODEL, "reply": names.RESPONSE_ID}
_OF_A_PROMPT = {"name": names.PROMPT_NAME, "version": names.PROMPT_VERSION, "digest": names.PROMPT_DIGEST}
"""Fields that are there only when there is something to say, and what they are called."""

_SAID = {
    "run.paused": ("by", "source"),
    "run.resumed": ("by", "source"),
    "run.degraded": ("limit", "step"),
    "limit.reached": ("limit", "token"),
    "limit.raised": ("by",),
    "approval.requested": ("approval", "call", "tool", "kind"),
    "approval.escalated": ("approval", "call"),
    "approval.counted": ("approval", "call", "by"),
    "approval.refused": ("call", "by"),
    "approval.decided": ("call", "tool", "approved", "by"),
    "approval.ruled": ("call", "tool", "rule", "by"),
    "call.judged": ("call", "tool", "verdict", "policy", "version"),
    "text.judged": ("stage", "subject", "verdict", "policy", "version"),
    "call.rewritten": ("call", "policies"),
    "call.refused": ("call", "rule"),
    "call.retried": ("call", "tool", "attempt", "wait"),
    "call.queued": ("call", "tool", "wait"),
    "call.fallback": ("call", "tool", "by"),
    "call.unknown": ("call", "tool", "attempt"),
    "call.settled": ("call", "outcome", "by"),
    "model.queued": ("model", "step", "attempt", "wait"),
    "model.fallback": ("model", "instead", "step"),
    "reply.refused": ("stage", "step"),
    "memory.summary_failed": ("step", "strategy", "tries"),
    "plan.proposed": ("by", "steps"),
    "plan.revised": ("by", "steps"),
    "step.started": ("step",),
    "step.retried": ("step",),
    "step.fallback": ("step",),
    "step.succeeded": ("step",),
    "step.failed": ("step",),
    "step.skipped": ("step",),
    "step.escalated": ("step",),
    "child.started": ("run", "agent"),
    "child.ended": ("run", "status"),
    "child.refused": ("run", "agent", "limit"),
    "unwind.begun": ("by",),
    "unwind.stopped": ("call", "tool"),
    "unwind.ended": ("by",),
    "actor.failed": ("actor", "type", "attempts"),
    "message.parked": ("actor", "type"),
    "run.judged": ("succeeded", "by"),
}
"""Entries that are events on the span of their run, and what of them is told. None of it is content."""


def of_an_event(kind: str, fields: Fields) -> Attributes | None:
    """What an event says; None when the entry is no event. What is allowed by default is none."""
    said = _SAID.get(kind)
    if said is None or (kind == "call.judged" and fields.get("policy") == "default" and fields["verdict"] == "allow"):
        return None
    told: Attributes = {}
    for name in said:
        value = fields.get(name)
        if isinstance(value, str | bool | int | float) and value != "":
            told[f"choragus.{name}"] = value
        elif isinstance(value, list):
            told[f"choragus.{name}"] = tuple(str(one) for one in value)
    return told


def provider(fields: Fields) -> str:
    """Who runs the model, as the conventions call them."""
    said = text(fields, "provider") or names.OTHER
    return names.PROVIDERS.get(said, said)


def of_a_model_call(fields: Fields, conversation: str, convention: Convention) -> Attributes:
    """What a `chat` span says; of one that was answered also what it used."""
    attributes: Attributes = {
        names.OPERATION: names.CHAT,
        names.PROVIDER: provider(fields),
        names.MODEL: text(fields, "model"),
        names.CONVERSATION: conversation,
        names.STEP: whole(fields, "step"),
    }
    prompt = mapping(fields, "prompt")
    attributes |= {name: str(prompt[field]) for field, name in _OF_A_PROMPT.items() if field in prompt}
    if "reason" in fields:
        return attributes
    attributes |= {names.FINISH_REASONS: (text(fields, "stop"),), **of_usage(fields)}
    attributes |= {name: text(fields, field) for field, name in _OF_A_REPLY.items() if field in fields}
    counted = {
        "cached_tokens": names.CACHE_READ_TOKENS,
        "cache_write_tokens": convention.cache_write_tokens,
        "reasoning_tokens": names.REASONING_TOKENS,
    }
    return attributes | {name: whole(fields, field) for field, name in counted.items() if field in fields}


def of_usage(fields: Fields) -> Attributes:
    """Tokens and money."""
    return {
        names.INPUT_TOKENS: whole(fields, "input_tokens"),
        names.OUTPUT_TOKENS: whole(fields, "output_tokens"),
        names.COST: number(fields, "cost_usd"),
    }


def error_of_a_model_call(fields: Fields) -> str:
    """Its type; empty when it was answered."""
    if "reason" not in fields:
        return ""
    said = text(fields, "error")
    return said if said in names.FAILURES_OF_MODELS else names.OTHER
