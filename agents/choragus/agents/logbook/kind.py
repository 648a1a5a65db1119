"""What is declared of a kind of entry, and how: in one line of the names of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .field import FIELDS, Field

FIRST = "0.1.0"
NO_ACTOR = "-actor"
"""The word for a kind that does not say who wrote it."""

UNLIKE = {
    ("text.received", "text"): "the text, by its id",
    ("text.read", "texts"): "the texts, by their ids",
    ("text.refused", "text"): "the text, by its id",
    ("memory.retrieved", "found"): "how many were found, and how well they fit",
    ("run.manifest", "prompt"): "the prompt's name and version",
    ("run.continued", "was"): "the provenance before, by its hash",
    ("run.continued", "identity"): "the agent's identity now, by its hash, where that is another one",
    ("run.migrated", "to"): "the identity on which it goes on, by its hash",
    ("run.refused", "was"): "the identity on which it began, by its hash",
    ("evaluation.started", "identity"): "the agent's identity: model, settings, prompt, tools, policies",
    ("trial.ended", "seconds"): "how long the run has taken",
    ("library.forgotten", "subject"): "the beginning of the subject's SHA-256",
    ("framed", "prompt"): "the prompt's name",
    ("assistant", "calls"): "the calls that the model asks for",
}
"""What stands under a name in one kind only, where that is no content though it is elsewhere."""


class Kind(NamedTuple):
    """A kind of entry. `fields` are always there, `optional` may be; `since` is the version that first wrote it."""

    name: str
    group: str
    meaning: str
    fields: Mapping[str, Field]
    optional: Mapping[str, Field]
    since: str = FIRST

    @property
    def all(self) -> dict[str, Field]:
        """Every field that it may have, by its name."""
        return {**self.fields, **self.optional}


def kinds(group: str, *declared: tuple[str, str, str]) -> Iterator[Kind]:
    """The kinds of a group, each by its name, its meaning and its fields.

    A field may be followed by its form, when that is another one here, and by a question mark when it is not always
    there.
    """
    for name, meaning, said in declared:
        fields: dict[str, Field] = {}
        optional: dict[str, Field] = {}
        for word in said.split():
            if word == NO_ACTOR:
                continue
            own, _, form = word.rstrip("?").partition(":")
            field = FIELDS[own] if not form else FIELDS[own]._replace(form=form)
            if (name, own) in UNLIKE:
                field = field._replace(meaning=UNLIKE[name, own], content=False)
            (optional if word.endswith("?") else fields)[own] = field
        if NO_ACTOR not in said.split() and "actor" not in optional:
            fields = {"actor": FIELDS["actor"], **fields}
        yield Kind(name, group, meaning, fields, optional)
