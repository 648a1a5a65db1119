"""The way of a model call out of the runtime and back: its turn at the provider, the call, what has become of it."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from functools import partial

import attrs

from choragus.agents.errand import CallModel, ModelFailed, ModelReplied
from choragus.agents.errors import ModelError
from choragus.agents.model import Model, ModelRequest, Usage, bound, tokens
from choragus.agents.patience import TookTooLong
from choragus.agents.storable import storable
from choragus.agents.toolbelt.secret import Vault

from .attempt import Answer, Beaten, NotBegun, Release, answered, streams
from .options import ModelOptions
from .podium import Pen, Podium
from .provider import CROWDED, PAUSED, RETRIES, UNAVAILABLE, NotNow, Pass, Provider, Providers
from .veil import Veil

_WHY = {
    PAUSED: "it has asked to be left alone for a while",
    CROWDED: "too many calls wait in line",
    RETRIES: "too many calls are being made again",
    UNAVAILABLE: "it has failed too often",
}


@attrs.frozen
class ModelGateway:
    """What the model calls of all runs share: the providers, the secrets, and what is being said.

    `clock` gives seconds since the epoch.
    """

    providers: Providers = attrs.field(factory=Providers)
    vault: Vault = attrs.field(factory=Vault)
    podium: Podium = attrs.field(factory=Podium)
    clock: Callable[[], float] = time.time

    async def call(
        self, asked: CallModel, request: ModelRequest, model: Model, options: ModelOptions, veil: Veil | None
    ) -> ModelReplied | ModelFailed:
        """Call the model once, when it is its turn. What a provider does is a result; anything else is a bug.

        Args:
            veil: what covers the answer while it is written; None: it is not shown before it is whole.
        """
        request = without_others(request, model.provider)
        provider, begun = self.providers.of(model.provider), self.clock()
        wanted = _most_tokens(model, request) if provider.counts_tokens else 0
        try:
            granted = await provider.enter(wanted, is_retry=asked.again > 0)
        except NotNow as refused:
            return self._not_called(model, refused, begun)
        outcome, started = Outcome(), self.clock()
        try:
            answer = await self._answered(asked, request, model, options, veil, provider, wanted)
            used = answer.reply.usage
            outcome = Outcome(used=None if used is None else used.total_tokens, failed=False)
        except TookTooLong as slow:
            outcome = Outcome(failed=True)
            return self._too_slow(model, options, isinstance(slow, NotBegun), started)
        except (ModelError, Beaten) as failed:
            error = failed.error if isinstance(failed, Beaten) else failed
            again = asked_to_wait(error) if error.retryable else None
            provider.pause(again or 0.0)
            outcome = Outcome(used=0, failed=True if error.retryable and again is None else None)
            return self._failed(error, again, started, cut_off=failed is not error)
        finally:
            provider.leave(granted, used=outcome.used, has_failed=outcome.failed)
        return self._replied(model, request, answer, started)

    def _answered(
        self,
        asked: CallModel,
        request: ModelRequest,
        model: Model,
        options: ModelOptions,
        veil: Veil | None,
        provider: Provider,
        wanted: int,
    ) -> Awaitable[Answer]:
        can_stream = streams(model, options)
        pen = None if veil is None or not can_stream else partial(self._pen, asked, veil)
        return answered(
            model,
            request,
            options,
            is_streamed=can_stream and (pen is not None or options.first_token is not None),
            pen=pen,
            room=None if options.hedge_after is None else partial(_room, provider, wanted),
        )

    def _pen(self, asked: CallModel, veil: Veil) -> Pen:
        return self.podium.open(asked.run, asked.step, asked.attempt, veil.stream())

    def _not_called(self, model: Model, refused: NotNow, begun: float) -> ModelFailed:
        return ModelFailed(
            reason=f"{model.provider} was not called, for {_WHY[refused.why]}",
            retryable=True,
            started=begun,
            ended=self.clock(),
            kind=refused.why,
            retry_after=refused.again,
            not_called=True,
        )

    def _too_slow(self, model: Model, options: ModelOptions, not_begun: bool, started: float) -> ModelFailed:
        what = "begin to answer" if not_begun else "answer"
        seconds = options.first_token if not_begun else options.timeout
        return ModelFailed(
            reason=f"{model.name} did not {what} within {seconds:g} s",
            retryable=True,
            started=started,
            ended=self.clock(),
            cut_off=True,
            kind="timeout",
        )

    def _failed(self, error: ModelError, again: float | None, started: float, cut_off: bool) -> ModelFailed:
        return ModelFailed(
            reason=self.vault.scrubbed(storable(str(error))),
            retryable=error.retryable,
            started=started,
            ended=self.clock(),
            kind=error.kind,
            retry_after=again,
            cut_off=cut_off,
        )

    def _replied(self, model: Model, request: ModelRequest, answer: Answer, started: float) -> ModelReplied:
        reply = answer.reply
        most = None if reply.usage and not answer.lost else bound(model, request)
        presumed = most if isinstance(most, Usage) else Usage()
        return ModelReplied(
            text=self.vault.scrubbed(reply.text),
            calls=reply.calls,
            stop=reply.stop,
            **attrs.asdict(reply.usage or presumed),
            started=started,
            ended=self.clock(),
            model=reply.model,
            id=reply.id,
            kept=reply.kept,
            lost=tuple(presumed for _ in range(answer.lost)),
        )


@attrs.frozen(kw_only=True)
class Outcome:
    """What a provider is told of a call: nothing, unless it came to an end."""

    used: int | None = None
    failed: bool | None = None


def _most_tokens(model: Model, request: ModelRequest) -> int:
    """The most that the call may use; of a model that cannot tell, the size of what it is sent."""
    most = bound(model, request)
    return most.total_tokens if isinstance(most, Usage) else tokens(request)


async def _room(provider: Provider, wanted: int) -> Release | None:
    granted: Pass | None = await provider.beside(wanted)
    return None if granted is None else partial(provider.leave, granted, used=None, has_failed=None)


def without_others(request: ModelRequest, provider: str) -> ModelRequest:
    """The request without what another provider's models have left in the conversation for themselves."""
    if not any(message.kept for message in request.messages):
        return request
    return attrs.evolve(
        request,
        messages=tuple(
            attrs.evolve(one, kept=tuple(item for item in one.kept if item.get("provider") == provider))
            if one.kept
            else one
            for one in request.messages
        ),
    )


def asked_to_wait(error: ModelError) -> float | None:
    """Seconds that the provider wants to be left alone for, if it says so in a number that is one."""
    again = error.retry_after
    return None if again is None or not 0 < again < math.inf else float(again)
