"""What a call of a server's tool gave back, as the value that the model reads. Pure; everything in it is untrusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from choragus.agents.errors import ToolError


def value_of(result: Mapping[str, object]) -> object:
    """The value of a result in the protocol's own form: what is structured, or the texts; pictures become a note.

    Where the texts say something else than what is structured, both are there.

    Raises:
        ToolError: the server says that the call has failed.
    """
    content = result.get("content")
    parts = [_part(one) for one in content if isinstance(one, Mapping)] if isinstance(content, Sequence) else []
    if result.get("isError") is True:
        said = "\n".join(one if isinstance(one, str) else str(one) for one in parts) or "it says only that it failed"
        raise ToolError(said)  # the Line cuts it, once no secret is in it
    texts: object = parts[0] if len(parts) == 1 else parts
    if "structuredContent" not in result:
        return texts if parts else ""
    structured = result["structuredContent"]
    if not parts or all(_says(one, structured) for one in parts):
        return structured
    return {"structured": structured, "content": texts}


def _part(one: Mapping[str, object]) -> object:
    match one.get("type"):
        case "text":
            return str(one.get("text", ""))
        case "image" | "audio" as kind:
            size = len(str(one.get("data", ""))) * 3 // 4
            return f"[{kind} {one.get('mimeType', '')}, {size:,} bytes: not shown]"
        case "resource_link":
            return {"link": one.get("uri", ""), "name": one.get("name", "")}
        case "resource":
            return _resource(one.get("resource"))
        case other:
            return f"[{other}: not shown]"


def _resource(inner: object) -> object:
    if not isinstance(inner, Mapping):
        return "[resource: not shown]"
    if "text" in inner:
        return {"resource": inner.get("uri", ""), "text": inner["text"]}
    size = len(str(inner.get("blob", ""))) * 3 // 4
    return f"[resource {inner.get('uri', '')} {inner.get('mimeType', '')}, {size:,} bytes: not shown]"


def _says(text: object, structured: object) -> bool:
    """Whether the text is just the structured content once more, or the only value in it."""
    if not isinstance(text, str):
        return False
    if isinstance(structured, Mapping) and len(structured) == 1 and text in structured.values():
        return True
    try:
        told: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return told == structured or (isinstance(structured, Mapping) and told in structured.values())
