"""What an evaluation found out: the five figures of its runs, how often they passed, and case by case."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from choragus.agents.figures.formula import Figures, Mean, Rate, figures, rate

from .estimate import over_cases
from .trial import Trial


@attrs.frozen(kw_only=True)
class CaseResult:
    """What became of the trials of one case; `judged` are those that the scorers could judge."""

    name: str
    trials: int
    judged: int
    passed: int
    completed: int
    cost_usd: float
    seconds: float
    why: str = ""

    @property
    def share(self) -> float | None:
        """The share of the judged trials that passed."""
        return self.passed / self.judged if self.judged else None


@attrs.frozen(kw_only=True)
class Report:
    """The outcome of one evaluation. `text()` is for people, `as_dict()` for programs.

    `passed` is True or False where something was demanded: `at_least` of the trials to pass, or no regression against a
    baseline. Without that it is None, and it is None too where not every trial was run and judged. `stopped` says why
    trials are missing, `regressions` what is worse than the baseline.
    """

    id: str
    dataset: str
    digest: str
    agent: str
    manifest: str
    identity: dict[str, object]
    cases: tuple[str, ...]
    repeats: int
    scorers: tuple[str, ...]
    started: float
    ended: float
    trials: tuple[Trial, ...]
    stopped: str = ""
    at_least: float | None = None
    regressions: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    compared: str = ""

    @property
    def figures(self) -> Figures:
        """The five figures of the runs."""
        return figures(one.outcome for one in self.trials)

    @property
    def passes(self) -> Rate:
        """The share of the judged trials that passed, after Wilson."""
        judged = [one.passed for one in self.trials if one.passed is not None]
        return rate(sum(judged), len(judged))

    @property
    def unjudged(self) -> int:
        """Trials that have not failed and that a scorer could not judge."""
        return sum(one.passed is None for one in self.trials)

    @property
    def missing(self) -> int:
        """Trials that were not run."""
        return len(self.cases) * self.repeats - len(self.trials)

    @property
    def judging_usd(self) -> float:
        """What judges among the scorers have cost, beside the runs."""
        return round(sum(one.judging_usd for one in self.trials), 9)

    @property
    def results(self) -> tuple[CaseResult, ...]:
        """Case by case, in the order of the set."""
        found: dict[str, list[Trial]] = {name: [] for name in self.cases}
        for one in self.trials:
            found[one.case].append(one)
        return tuple(_result(name, trials) for name, trials in found.items())

    def pass_at(self, k: int) -> Mean:
        """pass@k over the cases: at least one of k trials passes."""
        return over_cases(self._counted, k, every=False)

    def pass_all(self, k: int) -> Mean:
        """pass^k over the cases: all of k trials pass."""
        return over_cases(self._counted, k, every=True)

    @property
    def passed(self) -> bool | None:
        """Whether what was demanded of it holds; None: nothing was, or nobody can tell."""
        share = self.passes.value
        if self.regressions or (self.at_least is not None and share is not None and share < self.at_least):
            return False
        is_asked = self.at_least is not None or self.compared
        return True if is_asked and not self.missing and not self.unjudged and share is not None else None

    def brief(self) -> dict[str, object]:
        """The figures alone, as they are kept with the evaluation."""
        ks = range(1, self.repeats + 1)
        return {
            **self.figures.as_dict(),
            "passes": self.passes._asdict(),
            "pass_at": {str(k): self.pass_at(k)._asdict() for k in ks},
            "pass_all": {str(k): self.pass_all(k)._asdict() for k in ks},
            "judging_usd": self.judging_usd,
            "unjudged": self.unjudged,
            "missing": self.missing,
        }

    def as_dict(self) -> dict[str, object]:
        """All of it in plain JSON types."""
        return {
            "id": self.id,
            "dataset": self.dataset,
            "digest": self.digest,
            "agent": self.agent,
            "manifest": self.manifest,
            "repeats": self.repeats,
            "scorers": list(self.scorers),
            "started": self.started,
            "ended": self.ended,
            "passed": self.passed,
            "stopped": self.stopped,
            "figures": self.brief(),
            "cases": [attrs.asdict(one) for one in self.results],
            "trials": [{**one.as_dict(), "passed": one.passed} for one in self.trials],
            "compared": self.compared,
            "regressions": list(self.regressions),
            "differences": list(self.differences),
        }

    @property
    def _counted(self) -> list[tuple[int, int]]:
        return [(one.judged, one.passed) for one in self.results]


def _result(name: str, trials: Sequence[Trial]) -> CaseResult:
    judged = [one.passed for one in trials if one.passed is not None]
    failed = next((one for one in trials if one.passed is False), None)
    unsure = next((one for one in trials if one.passed is None), None)
    return CaseResult(
        name=name,
        trials=len(trials),
        judged=len(judged),
        passed=sum(judged),
        completed=sum(one.completed for one in trials),
        cost_usd=round(sum(one.cost_usd for one in trials) / len(trials), 9) if trials else 0.0,
        seconds=sum(one.seconds for one in trials) / len(trials) if trials else 0.0,
        why=_why(failed) if failed else _why(unsure) if unsure else "",
    )


def _why(trial: Trial) -> str:
    """Why a trial did not pass, in one line."""
    if trial.status != "completed":
        return f"{trial.status}: {trial.reason}"
    if trial.succeeded is False:
        return "it did not succeed, as its agent declares it"
    said = next((one for one in trial.scores if one.passed is False), None) or next(iter(trial.errors), None)
    return "" if said is None else f"{said.name}{' failed' if said.error else ''}: {said.reason}"
