"""The exchanges of one recording: appended while it is made, found again while it is replayed."""

from __future__ import annotations

from collections.abc import Sequence

from .drift import ReplayDrift, drifted, left_over
from .exchange import Exchange, Kind, Plain
from .scrubbing import Scrubber


class Tape:
    """Exchanges in the order in which they began.

    Args:
        exchanges: those of a recording that is replayed; None while one is made.
        place: its path, for people.
    """

    def __init__(self, exchanges: Sequence[Exchange] | None, place: str, scrubber: Scrubber) -> None:
        self.records = exchanges is None
        self.exchanges: list[Exchange] = list(exchanges or ())
        self.scrubber = scrubber
        self.drift: ReplayDrift | None = None
        self._place = place
        self._used: set[int] = set()

    def begin(self, kind: Kind, asked: Plain) -> Exchange:
        """Something is asked that is recorded; whoever asks fills in the answer."""
        exchange = self._scrubbed(kind, asked)
        self.exchanges.append(exchange)
        return exchange

    def answer(self, kind: Kind, asked: Plain) -> Plain:
        """What was answered when this was asked.

        Asked again, it is the next answer to the same question, and behind the last one the last one again: a call
        whose result a crash has taken is made again.

        Raises:
            ReplayDrift: it was never asked; the first drift, whenever a model is called behind one.
        """
        if self.drift is not None:
            raise self.drift
        came = self._scrubbed(kind, asked)
        same = [number for number, one in enumerate(self.exchanges) if one.key == came.key and one.kind == kind]
        if not same:
            self.drift = drifted(came, self.exchanges, self._left(), self._place)
            raise self.drift
        number = next((each for each in same if each not in self._used), same[-1])
        self._used.add(number)
        answer = self.exchanges[number].answer
        assert answer is not None
        return answer

    def assert_complete(self) -> None:
        """Check that all was asked for that was recorded, since what was asked first here.

        Raises:
            ReplayDrift: what was not, or what has drifted.
        """
        if self.drift is not None:
            raise self.drift
        first = min(self._used, default=0)
        done = {(self.exchanges[number].key, str(self.exchanges[number].answer)) for number in self._used}
        left = [
            one
            for number, one in enumerate(self.exchanges)
            if number > first and number not in self._used and (one.key, str(one.answer)) not in done
        ]
        if not self._used:
            left = self.exchanges
        if left:
            raise left_over(left, len(self.exchanges), self._place)

    def made(self) -> list[Exchange]:
        """What was recorded, without the secrets that became known only later too."""
        return [
            Exchange(kind=one.kind, asked=self.clean(one.asked), answer=self.clean(one.answer))
            for one in self.exchanges
            if one.answer is not None
        ]

    def clean(self, plain: Plain) -> Plain:
        """It without what must not be in a recording."""
        cleaned = self.scrubber.value(plain)
        assert isinstance(cleaned, dict)
        return cleaned

    def _left(self) -> list[Exchange]:
        return [one for number, one in enumerate(self.exchanges) if number not in self._used]

    def _scrubbed(self, kind: Kind, asked: Plain) -> Exchange:
        return Exchange(kind=kind, asked=self.clean(asked))
