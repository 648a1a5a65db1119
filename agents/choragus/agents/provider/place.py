"""Where a model is, if it is not at the provider's own address; without what may be secret in a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from attrs import frozen


@frozen
class Place:
    """An address of somebody else's; both are empty for the provider's own.

    >>> Place.of("https://user:pass@llm.example/v1?key=1", "api.openai.com")
    Place(host='llm.example', url='https://llm.example/v1')
    >>> Place.of("https://api.openai.com/v1", "api.openai.com")
    Place(host='', url='')
    """

    host: str = ""
    url: str = ""

    @classmethod
    def of(cls, base_url: object, home: str) -> Place:
        """The place of a base URL, which may be an object of the HTTP client's."""
        if base_url is None:
            return cls()
        parts = urlsplit(str(base_url))
        host = (parts.hostname or "").lower()
        if not host or host == home:
            return cls()
        port = f":{parts.port}" if parts.port else ""
        return cls(host, f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}")
