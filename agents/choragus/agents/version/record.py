"""How identities and provenances stand in a file: once each, by their hash, as rows for readers. Names only."""

from __future__ import annotations

MANIFEST = "manifest"
"""The kind of the rows of identities: the key is the hash, the scope the agent's name, `identity` in the body."""

PROVENANCE = "provenance"
"""The kind of the rows of provenances: the key is the hash, `provenance` in the body."""

CONTENT = "content"
"""The kind of the rows of what identities hold by digest: the key is that, `text` or `schema` in the body."""

REFUSED = "refused"
"""The kind of the rows of runs whose agent is not what it was: the key is the run, the scope the agent's name."""

EVALUATION = "evaluation"
"""The kind of the rows of evaluations: the scope is the hash of the identity."""
