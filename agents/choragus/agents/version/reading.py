"""Identities and what they hold by digest, read from a file by a runtime; the command line has its own way."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

import msgspec

from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.store import Store
from choragus.mailbox.turn import View

from .difference import TEXTS
from .record import CONTENT, MANIFEST

_LOG = logging.getLogger("choragus")


async def row_of(store: Store, kind: str, key: str) -> View | None:
    """A row; None when the file has not got it, or it is damaged: it is there to be read, and holds nothing up."""
    try:
        return await store.view(kind, key)
    except CorruptRecord as error:
        _LOG.warning("%s: it is taken as not there; see `choragus verify`", error)
        return None


async def identity_of(store: Store, hash: str) -> dict[str, object] | None:
    """The identity of that hash as `Manifest.as_dict` gave it; None when the file has not got it."""
    view = await row_of(store, MANIFEST, hash)
    if view is None or view.body is None:
        return None
    return msgspec.convert(msgspec.json.decode(view.body)["identity"], dict[str, object])


async def content_of(store: Store, digest: str) -> str | None:
    """The text, or the schema as indented JSON, that a digest stands for."""
    view = await row_of(store, CONTENT, digest) if digest else None
    return None if view is None or view.body is None else as_text(msgspec.json.decode(view.body))


def as_text(body: Mapping[str, object]) -> str:
    """A row of content as a text of lines."""
    text = body.get("text")
    return text if isinstance(text, str) else json.dumps(body.get("schema"), indent=2, sort_keys=True)


def digests_of(identity: Mapping[str, object]) -> set[str]:
    """The digests in an identity for which the file has contents."""
    found = {str(identity.get(name) or "") for name in TEXTS}
    tools = identity.get("tools")
    for tool in tools if isinstance(tools, list) else []:
        if isinstance(tool, Mapping):
            found.add(str(tool.get("schema")))
    return found - {""}
