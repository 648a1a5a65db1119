"""The names of the GenAI conventions, one table for each version, and those of choragus itself.

Nothing outside of this module spells such a name. What the conventions have no word for is called `choragus.…`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import attrs

OPT_IN = "OTEL_SEMCONV_STABILITY_OPT_IN"
"""The variable of OpenTelemetry that lists what is to be named by the latest conventions."""

LATEST_GENAI = "gen_ai_latest_experimental"


@attrs.frozen(kw_only=True)
class Convention:
    """One version: what changes between versions. What is the same in all stands below as constants."""

    version: str
    schema: str
    cache_write_tokens: str
    duration: str
    """The metric of how long a model call takes."""
    tokens: Mapping[str, str]
    """Metrics of tokens by the field that they count, where each has its own."""
    of_invocation: frozenset[str]
    """What stands on `invoke_agent` beside what stands there in all versions."""


OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
AGENT = "gen_ai.agent.name"
WORKFLOW = "gen_ai.workflow.name"
CONVERSATION = "gen_ai.conversation.id"
OUTPUT_TYPE = "gen_ai.output.type"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
PROMPT_NAME = "gen_ai.prompt.name"
PROMPT_VERSION = "gen_ai.prompt.version"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TOOL = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TOOL_TYPE = "gen_ai.tool.type"
SOURCE = "gen_ai.data_source.id"
MEMORY_RECORDS = "gen_ai.memory.record.count"
MEMORY_STORE = "gen_ai.memory.store.id"
ERROR_TYPE = "error.type"
TOKEN_TYPE = "gen_ai.token.type"

INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
TOOL_ARGUMENTS = "gen_ai.tool.call.arguments"
TOOL_RESULT = "gen_ai.tool.call.result"

CHAT = "chat"
INVOKE_AGENT = "invoke_agent"
EXECUTE_TOOL = "execute_tool"
INVOKE_WORKFLOW = "invoke_workflow"
RETRIEVAL = "retrieval"
UPDATE_MEMORY = "update_memory"
PLAN = "plan"
"""An operation of later versions, as `update_memory` is; values that a version does not list are allowed in it."""

OTHER = "_OTHER"
"""The error of which nothing more is known, and the provider that nobody has named."""

TOKEN_USAGE = "gen_ai.client.token.usage"
AGENT_DURATION = "gen_ai.invoke_agent.duration"
AGENT_INFERENCES = "gen_ai.invoke_agent.inference_calls"
AGENT_TOOLS = "gen_ai.invoke_agent.tool_calls"
TOOL_DURATION = "gen_ai.execute_tool.duration"
WORKFLOW_DURATION = "gen_ai.invoke_workflow.duration"

COST = "choragus.cost_usd"
PROMPT_DIGEST = "choragus.prompt.digest"
STEP = "choragus.step"
STRETCH = "choragus.run.stretch"
RUN = "choragus.run.id"
RUN_STATUS = "choragus.run.status"
MANIFEST = "choragus.run.manifest"
TENANT = "choragus.tenant"
CALL_END = "choragus.call.end"
LINK = "choragus.link"
APPROVAL = "choragus.approval"
APPROVED_TOOL = "choragus.tool"
APPROVED_CALL = "choragus.call"
ACTOR_TYPE = "choragus.actor.type"
APPROVED = "choragus.approval.approved"
APPROVAL_KIND = "choragus.approval.kind"
TOKENS_BEFORE = "choragus.memory.tokens_before"
TOKENS_AFTER = "choragus.memory.tokens_after"

COST_METRIC = "choragus.cost"
RUNS_STARTED = "choragus.runs.started"
RUNS_ENDED = "choragus.runs.ended"
APPROVALS_ASKED = "choragus.approvals.asked"
APPROVALS_DECIDED = "choragus.approvals.decided"
APPROVAL_WAIT = "choragus.approvals.wait"
APPROVALS_WAITING = "choragus.approvals.waiting"
FAILURES = "choragus.actor.failures"
RESTARTS = "choragus.actor.restarts"
DROPPED = "choragus.telemetry.dropped"
GROWING = (RESTARTS, DROPPED)
"""Those of the live system that only grow."""
MAILBOX_DEPTH = "choragus.mailbox.depth"

PROVIDERS = {"bedrock": "aws.bedrock", "azure": "azure.ai.openai", "mistral": "mistral_ai", "xai": "x_ai"}
"""What the conventions call those providers whose names differ from ours."""

FAILURES_OF_MODELS = frozenset(
    {
        *("rate_limit", "overloaded", "timeout", "connection", "server", "request", "authentication"),
        *("context_length", "incomplete", "malformed", "broken"),
    }
)
"""What `error.type` may be for a model call; all else is `_OTHER`, for its values must stay few."""

V1_41 = Convention(
    version="1.41.0",
    schema="https://opentelemetry.io/schemas/1.41.0",
    cache_write_tokens="gen_ai.usage.cache_creation.input_tokens",
    duration="gen_ai.client.operation.duration",
    tokens={},
    of_invocation=frozenset({PROVIDER}),
)
"""The last set that was published as a whole, with the metrics of agents that came after it."""

LATEST = Convention(
    version="gen-ai-dev",
    schema="",
    cache_write_tokens="gen_ai.usage.cache_write.input_tokens",
    duration="gen_ai.client.inference.duration",
    tokens={
        "input_tokens": "gen_ai.client.inference.usage.input_tokens",
        "output_tokens": "gen_ai.client.inference.usage.output_tokens",
        "cached_tokens": "gen_ai.client.inference.usage.cache_read.input_tokens",
        "cache_write_tokens": "gen_ai.client.inference.usage.cache_write.input_tokens",
        "reasoning_tokens": "gen_ai.client.inference.usage.reasoning.output_tokens",
    },
    of_invocation=frozenset(),
)
"""What is being worked on: its names may still change, so it has no schema address that stays."""


def chosen(environment: Mapping[str, str] | None = None) -> Convention:
    """The version that the environment asks for: 1.41, unless it opts in to the latest.

    >>> chosen({}).version, chosen({"OTEL_SEMCONV_STABILITY_OPT_IN": "http,gen_ai_latest_experimental"}).version
    ('1.41.0', 'gen-ai-dev')
    """
    listed = (os.environ if environment is None else environment).get(OPT_IN, "")
    return LATEST if LATEST_GENAI in {one.strip() for one in listed.split(",")} else V1_41
