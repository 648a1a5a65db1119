"""What an agent is told before the conversation starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from attrs import Attribute, field, frozen

from .errors import AgentFault


def _is_text(prompt: object, attribute: Attribute[str], value: object) -> None:
    if not isinstance(value, str):
        raise AgentFault(f"Prompt({attribute.name}={value!r}) is no text: give a str, or use Prompt.from_file(path)")


@frozen
class Prompt:
    """A text with a name for people and a digest for the manifest.

    Two prompts of one text are the same to a run, whatever their names and versions say.

    >>> Prompt("Be brief.").digest
    '213c22ed7234'
    """

    text: str = field(validator=_is_text)
    name: str = field(default="inline", validator=_is_text)
    version: str = field(default="", validator=_is_text)

    @classmethod
    def from_file(cls, path: str | Path) -> Prompt:
        """The text of a UTF-8 file, named after it, whatever line ends it has.

        Raises:
            OSError: the file cannot be read.
            AgentFault: the file is not UTF-8.
        """
        try:
            return cls(Path(path).read_text(encoding="utf-8-sig"), name=Path(path).name)
        except UnicodeDecodeError as error:
            raise AgentFault(f"prompt file {str(path)!r} is not UTF-8 ({error.reason}): save it as UTF-8") from error

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the text's SHA-256."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
