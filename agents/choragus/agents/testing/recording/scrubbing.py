"""What a recording must not hold, taken out: secrets, and what differs from machine to machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from choragus.agents.policy.redacted import SECRETS, redact
from choragus.agents.toolbelt.secret import Vault

SHORTEST = 2
"""Parts of a folder's path, below which it is no telling one."""


class Scrubber:
    """Takes them out of everything that is recorded or compared, in the same way each time.

    Args:
        replace: texts and what stands for each.
    """

    def __init__(self, replace: Mapping[str, str]) -> None:
        folders = {Path.cwd(): "[cwd]", Path(os.path.expanduser("~")): "[home]"}
        places = {str(path): name for path, name in folders.items() if len(path.parts) > SHORTEST}
        pairs = {**places, **replace}
        self._pairs = sorted(pairs.items(), key=lambda pair: -len(pair[0]))
        self._secrets: dict[str, str] = {}
        self.vault = Vault(self._secrets)
        self._seen: dict[str, str] = {}

    def learn(self, name: str, value: str) -> None:
        """A secret that a tool may use."""
        self._secrets[name] = value
        self.vault.value(name)
        self._seen.clear()

    def text(self, text: str) -> str:
        """The text without what must not be there; once more changes nothing."""
        found = self._seen.get(text)
        if found is None:
            found = self.vault.scrubbed(text)
            for old, new in self._pairs:
                found = found.replace(old, new)
            found = self._seen[text] = redact(found, SECRETS).text
        return found

    def value(self, value: object) -> object:
        """The same with all texts in a value of plain JSON types."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._entry(str(key), one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value

    def _entry(self, key: str, value: object) -> object:
        if not isinstance(value, str):
            return self.value(value)
        # As a pair: a password says nothing by its looks, and all by its name.
        return self.text(value) if self.text(key) != key else self.text(f"{key}={value}")[len(key) + 1 :]
