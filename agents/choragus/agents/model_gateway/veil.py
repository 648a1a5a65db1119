"""What of an answer may be shown while it is still being written: without secrets, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import define, field, frozen

import choragus.agents.policy as rules
from choragus.agents.policy.chain import Chain
from choragus.agents.policy.check import Stage
from choragus.agents.toolbelt.secret import Vault

if TYPE_CHECKING:
    from choragus.agents.policy.stream import RedactionStream

JUDGED = frozenset({Stage.REPLY, Stage.OUTPUT})


@frozen
class Veil:
    """What stands between a reply and its readers: the runtime's secrets, and what policies redact.

    A text gives the same in pieces, wherever these are cut, as at once.
    """

    vault: Vault
    kinds: tuple[frozenset[str], ...] = ()
    """What each redacting policy looks for, in their order."""

    def over(self, text: str) -> str:
        """The text as it may be shown."""
        text = self.vault.scrubbed(text)
        for kinds in self.kinds:
            text = rules.redact(text, kinds).text
        return text

    def stream(self) -> Pieces:
        """For a text that comes in pieces."""
        return Pieces(SecretStream(self.vault), [rules.RedactionStream(kinds) for kinds in self.kinds])


def veil(chain: Chain, vault: Vault) -> Veil | None:
    """What covers the answers that these policies judge; None: another policy than redaction does, so nothing is shown.

    What a policy is going to say of the whole cannot be known of its beginning.
    """
    judging = [policy for policy in chain.policies if policy.stages & JUDGED]
    redacting = [policy for policy in judging if type(policy) is rules.RedactionPolicy]
    if len(judging) != len(redacting):
        return None
    return Veil(vault, tuple(frozenset(policy.kinds) for policy in redacting))


@define
class Pieces:
    """A text that comes in pieces, on its way through what holds some of it back."""

    _secrets: SecretStream
    _redactions: list[RedactionStream]

    def feed(self, piece: str) -> str:
        """Take the next piece; what may be shown by now."""
        piece = self._secrets.feed(piece)
        for stream in self._redactions:
            piece = stream.feed(piece)
        return piece

    def close(self) -> str:
        """The text is at its end: the rest of it."""
        rest = self._secrets.close()
        for stream in self._redactions:
            rest = stream.feed(rest) + stream.close()
        return rest


@define
class SecretStream:
    """Gives back a text without the vault's secrets, and holds back what may be the beginning of one."""

    _vault: Vault
    _held: str = field(default="", init=False)

    def feed(self, piece: str) -> str:
        """Take the next piece; what holds no secret and no part of one."""
        held = self._held + piece
        cut = uncertain(held, self._vault.forms)
        self._held = held[cut:]
        return self._vault.scrubbed(held[:cut])

    def close(self) -> str:
        """The text is at its end."""
        held, self._held = self._held, ""
        return self._vault.scrubbed(held)


def uncertain(text: str, forms: Iterable[str]) -> int:
    """From where on more of the text has to be known: the first place where one of the forms may have begun."""
    cut = len(text)
    for form in forms:
        start = max(0, len(text) - len(form) + 1)
        while (start := text.find(form[0], start, cut)) >= 0:
            if form.startswith(text[start:]):
                cut = start
            start += 1
    return _not_within(text, cut, forms)


def _not_within(text: str, cut: int, forms: Iterable[str]) -> int:
    """The same, or earlier, so that no whole secret is cut in two."""
    while cut:
        found = [_across(text, cut, form) for form in forms]
        earliest = min((one for one in found if one is not None), default=cut)
        if earliest == cut:
            break
        cut = earliest
    return cut


def _across(text: str, cut: int, form: str) -> int | None:
    """Where the form begins that stands across the cut."""
    start = text.find(form, max(0, cut - len(form) + 1), cut + len(form) - 1)
    return start if 0 <= start < cut else None
