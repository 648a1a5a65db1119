"""The results as a log that `inspect view` opens: JSON in version 2 of its format, written without the library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from choragus.agents.model import ChatMessage
from choragus.agents.stream import conversation_stream
from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.store import Store

from .case import Case, Dataset
from .report import Report
from .trial import Trial

Plain = dict[str, object]


def inspect_name(report: Report) -> str:
    """What such a file is called, so that the viewer finds it."""
    at = datetime.fromtimestamp(report.started, UTC).strftime("%Y-%m-%dT%H-%M-%S+00-00")
    return f"{at}_{_word(report.dataset)}_{report.id.replace('-', '')}.json"


async def write_inspect(report: Report, dataset: Dataset, folder: str | Path, store: Store | None = None) -> Path:
    """Write the log into a folder, which is made if it is missing; gives back its path.

    Args:
        store: where the runs' conversations are read from; without it a trial shows its goal and its answer.
    """
    target = Path(folder) / inspect_name(report)
    target.parent.mkdir(parents=True, exist_ok=True)
    spoken = {} if store is None else {one.run: await conversation(store, one.run) for one in report.trials}
    beside = target.with_name(f".{target.name}.new")
    beside.write_bytes(msgspec.json.encode(inspect_log(report, dataset, spoken)))
    beside.replace(target)
    return target


async def conversation(store: Store, run: str) -> list[ChatMessage]:
    """What was said in a run, from its own stream."""
    lines: list[ChatMessage] = []
    after = 0
    while page := await store.read(conversation_stream(run), after, 500):
        lines += [decode_as(ChatMessage, Record("json", 1, entry.body)) for entry in page]
        after = page[-1].position
    return lines


def inspect_log(report: Report, dataset: Dataset, spoken: dict[str, list[ChatMessage]]) -> Plain:
    """The log as plain JSON."""
    cases = {one.name: one for one in dataset.cases}
    model = f"{report.identity.get('provider', 'model')}/{report.identity.get('model', 'unknown')}"
    total = len(report.cases) * report.repeats
    return {
        "version": 2,
        "status": "success" if not report.stopped else "cancelled",
        "eval": {
            "eval_id": report.id,
            "run_id": report.id,
            "created": _time(report.started),
            "task": f"{report.agent} {report.dataset}",
            "task_id": report.id.replace("-", ""),
            "task_version": 0,
            "dataset": {
                "name": report.dataset,
                "samples": len(report.cases),
                "sample_ids": list(report.cases),
                "shuffled": False,
            },
            "model": model,
            "config": {"epochs": report.repeats, "epochs_reducer": ["mean"]},
            "metadata": {"agent": report.agent, "manifest": report.manifest, "passed": report.passed},
            "scorers": [{"name": name} for name in _scorers(report)],
        },
        "plan": {"name": "choragus", "steps": [{"solver": report.agent, "params": {}}], "config": {}},
        "results": {
            "total_samples": total,
            "completed_samples": len(report.trials),
            "scores": [_score(report, name) for name in _scorers(report)],
        },
        "stats": {
            "started_at": _time(report.started),
            "completed_at": _time(report.ended),
            "model_usage": {model: _usage(report.trials)},
        },
        "samples": [_sample(one, cases[one.case], model, spoken.get(one.run, [])) for one in report.trials],
    }


def _scorers(report: Report) -> list[str]:
    """The names of all scores, behind the one that says whether a trial passed."""
    return ["passed", *dict.fromkeys(score.name for one in report.trials for score in one.scores)]


def _score(report: Report, name: str) -> Plain:
    values = [value for one in report.trials if (value := _values(one).get(name)) is not None]
    share = sum(values) / len(values) if values else 0.0
    metrics: Plain = {"mean": {"name": "mean", "value": share, "params": {}}}
    if name == "passed":
        for k in range(1, report.repeats + 1):
            for word, mean in (("pass^", report.pass_all(k)), ("pass@", report.pass_at(k))):
                if mean.value is not None:
                    metrics[f"{word}{k}"] = {"name": f"{word}{k}", "value": mean.value, "params": {}}
    return {
        "name": name,
        "scorer": name,
        "params": {},
        "metrics": metrics,
        "scored_samples": len(values),
        "unscored_samples": len(report.trials) - len(values),
    }


def _values(trial: Trial) -> dict[str, float | None]:
    passed = None if trial.passed is None else float(trial.passed)
    return {"passed": passed, **{one.name: one.value for one in trial.scores}}


def _sample(trial: Trial, case: Case, model: str, spoken: Sequence[ChatMessage]) -> Plain:
    target: object = list(case.targets) or case.expected_output
    scores: Plain = {}
    for one in trial.scores:
        if one.value is not None:
            scores[one.name] = {"value": one.value, "answer": trial.answer, "explanation": one.reason or None}
    if trial.passed is not None:
        scores["passed"] = {"value": float(trial.passed), "answer": trial.answer}
    messages = list(_messages(spoken)) or _two(case.goal, trial.answer)
    sample: Plain = {
        "id": trial.case,
        "epoch": trial.repeat,
        "input": case.goal,
        "target": "" if target is None else target if isinstance(target, str | list) else _json(target),
        "messages": messages,
        "output": {
            "model": model,
            "choices": [{"message": {"role": "assistant", "content": trial.answer}, "stop_reason": "stop"}],
            "usage": _usage([trial]),
        },
        "scores": scores,
        "metadata": {"run": trial.run, "status": trial.status, "cost_usd": trial.cost_usd, **dict(case.metadata)},
        "store": {},
        "events": [],
        "model_usage": {model: _usage([trial])},
        "started_at": _time(trial.started),
        "completed_at": _time(trial.ended),
        "total_time": trial.seconds,
        "working_time": max(0.0, trial.seconds - trial.waited),
        "uuid": trial.run,
    }
    failed = [f"{one.name}: {one.reason}" for one in trial.errors]
    if failed or trial.status not in ("completed", "limit"):
        message = "; ".join(failed) or f"{trial.status}: {trial.reason}"
        sample["error"] = {"message": message, "traceback": message, "traceback_ansi": message}
    if trial.status == "limit":
        sample["limit"] = {"type": "custom", "limit": 0}
    return sample


def _messages(spoken: Sequence[ChatMessage]) -> Iterator[Plain]:
    for one in spoken:
        if one.role == "tool":
            error = {"error": {"type": "unknown", "message": one.text[:500]}} if one.is_error else {}
            yield {
                "role": "tool",
                "content": one.text,
                "tool_call_id": one.call_id,
                "function": one.name,
                **error,
            }
        elif one.role == "assistant":
            calls = [{"id": c.id, "function": c.name, "arguments": c.arguments, "type": "function"} for c in one.calls]
            yield {"role": "assistant", "content": one.text, **({"tool_calls": calls} if calls else {})}
        else:
            yield {"role": "user", "content": one.text}


def _two(goal: str, answer: str) -> list[Plain]:
    return [{"role": "user", "content": goal}, {"role": "assistant", "content": answer}]


def _usage(trials: Sequence[Trial]) -> Plain:
    given, made = sum(one.input_tokens for one in trials), sum(one.output_tokens for one in trials)
    cost = round(sum(one.cost_usd for one in trials), 9)
    return {"input_tokens": given, "output_tokens": made, "total_tokens": given + made, "total_cost": cost}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _word(name: str) -> str:
    return "".join(one if one.isalnum() else "-" for one in name)
