"""Every kind of entry that choragus writes: what it says, and with which fields.

An actor of yours may write kinds of its own; they are not declared here, and nothing is known about their fields.
"""

from __future__ import annotations

from .kind import kinds

_ASKED = (
    "approval call tool arguments hash kind agent goal step risk why said text options origins approvers quorum given "
    "due default cost_usd idempotency_key level"
)
_USED = "token steps:int input_tokens output_tokens cost_usd tool_calls active_seconds bad_calls"
_MODEL = "step attempt agent model provider prompt? started ended"
_TOKENS = "cached_tokens? cache_write_tokens? reasoning_tokens?"

ALL = (
    *kinds(
        "A run",
        (
            "run.started",
            "A run began.",
            "agent goal key manifest limits thread? name? follows? carried? messages? tenant? parent? trace?",
        ),
        ("run.manifest", "What the run begins on.", "hash provenance models prompt? configured?"),
        ("run.granted", "The tools that it was narrowed to.", "tools"),
        (
            "phase",
            "It went on to the next phase of a step.",
            "phase step calls? call? tool? is_error? stage? granted? offered? plan_step? child? question?",
        ),
        ("run.paused", "Somebody held it.", "by reason source"),
        ("run.resumed", "Somebody let it go on.", "by source"),
        ("run.degraded", "A limit was reached, and it ends with what it has.", "step limit reason"),
        ("run.followed", "Another run goes on with its conversation.", "run by"),
        (
            "run.ended",
            "It ended.",
            "status outcome agent steps:int input_tokens output_tokens cost_usd started ended questions "
            "achieved? degraded? waited? cached_tokens? reasoning_tokens?",
        ),
        ("child.started", "A sub-run began.", "run agent goal"),
        ("child.refused", "A sub-run was refused.", "run agent limit reason"),
        ("child.ended", "A sub-run ended.", "run status outcome"),
        (
            "stream.forked",
            "It begins where another run was.",
            "stream position hash run by step messages calls plan? context?",
        ),
        ("fork.refused", "A fork was refused.", "-actor run by reason"),
        (
            "effect.interrupted",
            "What was under way in the run that it was forked from is not run from here.",
            "effect call tool",
        ),
        ("text.received", "Somebody said something to the run.", "text by said step images:int?"),
        ("text.read", "The model is given what was said.", "texts step"),
        ("text.refused", "What was said was not taken.", "text by reason"),
        ("reply.refused", "A reply of the model was not taken.", "step stage reason"),
        ("text.judged", "The guardrail judged a text.", "stage subject verdict reason policy version rewritten"),
        ("run", "A run of a conversation.", "-actor run"),
    ),
    *kinds(
        "Models",
        (
            "model.replied",
            "A model replied.",
            f"{_MODEL} text calls stop input_tokens output_tokens cost_usd "
            f"judged? answered_by? given_up? reply? {_TOKENS}",
        ),
        (
            "model.failed",
            "A call of a model failed.",
            f"{_MODEL} reason tries error? retry_after? wait?",
        ),
        (
            "model.queued",
            "A call of a model was not made yet: its provider has no room, or its breaker is open.",
            f"{_MODEL} reason error? retry_after? wait?",
        ),
        ("model.fallback", "The next model is called instead.", "step model instead reason"),
    ),
    *kinds(
        "Calls of tools",
        ("call.requested", "The model asks for a call.", "call tool arguments"),
        ("call.refused", "A call was refused before anybody judged it.", "call reason rule"),
        ("call.judged", "The guardrail judged a call, allowed or not.", "call tool verdict reason policy version"),
        ("call.rewritten", "A policy changed the arguments.", "call arguments policies"),
        ("call.intended", "It is about to run: the intent is on disk first.", "call tool effect"),
        ("call.queued", "It waits for its turn.", "call tool wait"),
        ("call.retried", "It failed, and runs again.", "call tool attempt reason wait"),
        ("call.fallback", "Another tool runs instead.", "call tool by reason"),
        ("call.checked", "Somebody looked what became of it.", "call tool found"),
        (
            "call.unknown",
            "It was cut off, and may have happened: a person decides.",
            "call tool arguments reason idempotency_key attempt:str check",
        ),
        ("call.settled", "A person said what became of it.", "call outcome by result"),
        ("settle.refused", "What was said of it was not taken.", "call outcome by reason"),
        ("call.finished", "It ended.", "call tool agent end ran is_error text started ended whose?"),
        ("call.undoable", "What would take it back.", "-actor undo call agent tool role arguments result is_sure"),
        ("call.result", "The whole result of a call whose entry has its beginning.", "-actor call text"),
        ("unwind.begun", "What the run did is being taken back.", "by calls"),
        ("unwind.refused", "It cannot be taken back.", "by reason"),
        ("unwind.left", "A call was left as it is.", "call by left"),
        ("unwind.stopped", "Taking back does not go on by itself.", "call tool reason left"),
        ("unwind.ended", "It was taken back.", "by calls"),
    ),
    *kinds(
        "People",
        (
            "approval.requested",
            "A person is asked.",
            _ASKED,
        ),
        ("approval.ruled", "A standing rule decided.", "call tool arguments hash rule by left:int"),
        (
            "approval.counted",
            "One of several people decided.",
            f"{_ASKED} saw was by identity reason seen",
        ),
        (
            "approval.escalated",
            "The time is up: the next group is asked.",
            f"{_ASKED} before",
        ),
        (
            "approval.decided",
            "It was decided.",
            "call tool approved by reason hash seen identity answer? arguments? was? bound? changed_by? given?",
        ),
        ("approval.refused", "A decision was not taken.", "call by hash reason identity sender"),
        ("rule.added", "A standing rule was made.", "rule tool arguments by added expires uses agent identity"),
        ("rule.used", "A standing rule let a call run.", "rule run call left:any"),
        ("rule.revoked", "A standing rule was taken back.", "rule by"),
        ("rule.expired", "A standing rule ended by itself.", "rule"),
        ("rule.refused", "A standing rule was not made.", "rule by sender"),
        ("attention.raised", "Something needs a person.", "item"),
        ("attention.told", "The hook was told.", "id tries"),
        ("attention.failed", "The hook could not be told.", "id tries reason"),
    ),
    *kinds(
        "Budgets and limits",
        (
            "budget.reserved",
            "Room was set aside for a call.",
            _USED,
        ),
        (
            "budget.spent",
            "What the call has used.",
            _USED,
        ),
        (
            "budget.presumed",
            "What a call that failed is taken to have used.",
            _USED,
        ),
        (
            "budget.overrun",
            "It used more than was set aside.",
            "token tokens? cost_usd? steps:int? tool_calls? input_tokens? output_tokens? active_seconds? bad_calls?",
        ),
        ("limit.reached", "There was no room.", "token limit reason"),
        ("limit.raised", "Somebody raised limits.", "by reason limits:dict identity?"),
        ("limit.refused", "Limits were not raised.", "by reason limits:dict identity"),
        ("ledger.reserved", "A shared ledger set money aside.", "token cost_usd tokens"),
        ("ledger.spent", "What was used of it.", "token cost_usd tokens"),
        ("ledger.refused", "A shared ledger had no room.", "token reason"),
    ),
    *kinds(
        "Memory and knowledge",
        (
            "memory.assembled",
            "What the model is given was put together.",
            "step messages context? tokens? budget? shown?",
        ),
        (
            "memory.compacted",
            "The context was made shorter.",
            "step by tokens_before tokens_after ranges? number? model? hash? "
            "input_tokens? output_tokens? cost_usd? started? ended? positions? to?",
        ),
        ("memory.summary_failed", "A summary could not be made.", "step strategy tries reason"),
        ("memory.retrieved", "Something was looked up.", "step by section found:list error?"),
        ("block.edited", "The model wrote into one of its blocks.", "label call number characters hash labels"),
        ("episode.kept", "The run was kept as an episode.", "run status"),
        ("library.put", "Documents were put into a library.", "documents chunks run call"),
        ("library.forgotten", "Documents were deleted.", "id? subject? run? documents chunks"),
        ("library.swept", "Documents too old were deleted.", "documents chunks"),
        (
            "framed",
            "What every reply is given: instructions, tools, blocks.",
            "-actor blocks budget_tokens fixed instructions order "
            "prompt:str prompt_hash prompt_version step tools upto",
        ),
        ("pinned", "Messages that stay.", "-actor by positions step upto"),
        ("stubbed", "Results replaced by a word.", "-actor by positions step upto"),
        ("dropped", "Messages left out.", "-actor by ranges step upto"),
        ("shortened", "Messages cut.", "-actor by positions step to upto"),
        ("summarised", "Messages replaced by a summary.", "-actor by labels model number ranges step text upto"),
        ("fetched", "What was looked up.", "-actor by index items section step upto"),
        ("edited", "What a block says now.", "-actor answer call label labels number step text upto"),
        ("in_hand", "The message that the model works on.", "-actor position step upto"),
        (
            "user",
            "A message of the conversation: what was said to the model.",
            "-actor call_id calls images is_error kept labels name role text",
        ),
        (
            "assistant",
            "A message of the conversation: what the model said.",
            "-actor call_id calls images is_error kept labels name role text",
        ),
        (
            "tool",
            "A message of the conversation: what a call gave back.",
            "-actor call_id calls images is_error kept labels name role text",
        ),
    ),
    *kinds(
        "Plans",
        ("plan.proposed", "A plan was made.", "actor? plan? revision by reason steps:any"),
        ("plan.refused", "A plan cannot stand.", "call? tool? faults"),
        ("plan.revised", "The plan was changed.", "actor? plan? revision by reason steps:any dropped"),
        ("step.started", "A step began.", "actor? plan? step:str since"),
        ("step.retried", "A step is tried again.", "actor? plan? step:str since reason anew?"),
        ("step.fallback", "A step is done another way.", "actor? plan? step:str since way by reason"),
        ("step.succeeded", "A step is done.", "actor? plan? step:str outcome by"),
        ("step.failed", "A step failed.", "actor? plan? step:str reason"),
        ("step.skipped", "A step is left out.", "actor? plan? step:str reason degraded?"),
        ("step.escalated", "A person is asked about a step.", "actor? plan? step:str reason"),
    ),
    *kinds(
        "The system and its servers",
        ("system.opened", "A process opened the file.", "-actor node fence clean"),
        ("system.draining", "The owner was asked to begin nothing new.", "-actor by reason pid"),
        ("commit.repeated", "A commit failed and was repeated.", "-actor error turns messages"),
        ("actor.failed", "An actor failed.", "type reason message? attempts? lost?"),
        (
            "actor.restarted",
            "An actor runs again. A durable one does so behind each failure, without an entry.",
            "incarnation lost?",
        ),
        ("actor.suspended", "An actor was given up until the next opening.", "reason lost?"),
        ("actor.cut_off", "A handler ignored its cancellation.", "type lost?"),
        ("message.parked", "A message was set aside.", "message type reason"),
        ("supervisor.gave_up", "A supervisor gave up.", "reason children lost?"),
        ("supervisor.restarted", "A supervisor runs again.", "incarnation lost?"),
        ("supervisor.ended", "A supervisor ended, for a child of weight did.", "child lost?"),
        ("breaker.opened", "A tool or provider has failed too often.", "seconds lost?"),
        ("breaker.closed", "It is called again.", "lost?"),
        ("mcp.pinned", "What an MCP server offers was seen.", "server changed new gone mark"),
        ("mcp.changed", "It offers something else.", "server changed new gone mark"),
        ("mcp.accepted", "Somebody accepted it.", "server changed new gone mark by identity tools:dict"),
        ("mcp.refused", "It was not accepted.", "server tool by reason"),
    ),
    *kinds(
        "Versions, judgements and evaluations",
        ("run.continued", "It goes on with other code around it.", "provenance was:str identity:str? was_identity?"),
        ("run.migrated", "A declared patch let it go on with a changed agent.", "from to:str by why renamed?"),
        ("run.refused", "It does not go on: its agent has changed.", "run agent why was:str now changes warned"),
        ("run.judged", "Whether it succeeded.", "succeeded by reason score? cost_usd?"),
        ("judge.failed", "The model that judges failed.", "reason tries"),
        ("run.corrected", "A person said what it should have answered.", "answer by reason number checked?"),
        ("correction.refused", "A correction was not taken.", "by reason sender"),
        (
            "evaluation.started",
            "An evaluation began.",
            "id dataset digest agent manifest identity cases repeats scorers",
        ),
        (
            "trial.ended",
            "A trial of a case ended.",
            "case repeat run status answer reason succeeded tools questions cost_usd judging_usd seconds waited "
            "started ended steps:int input_tokens output_tokens scores",
        ),
        (
            "evaluation.result",
            "What a scorer says of a trial, by OpenTelemetry's names.",
            "run case repeat gen_ai.evaluation.name gen_ai.evaluation.score.label gen_ai.evaluation.score.value? "
            "gen_ai.evaluation.explanation? error.type?",
        ),
        ("evaluation.ended", "An evaluation ended.", "figures passed"),
    ),
)

KINDS = {kind.name: kind for kind in ALL}
