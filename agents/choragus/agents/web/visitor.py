"""Who asks for a page, and what for: put into a request's scope by the gate, read by the pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import attrs

Form: TypeAlias = Mapping[str, str]
"""The fields of a form that was sent, each once."""

PLACE = "choragus.visitor"
"""Where in a scope it stands."""


@attrs.frozen(kw_only=True)
class Visitor:
    """Whoever sent the request.

    Attributes:
        by: who decides, when the host has said so; empty: the page asks.
        csrf: what a form has to bring along; empty where nothing can be sent.
        form: what was sent; only behind all checks.
        client: from which address.
    """

    by: str = ""
    csrf: str = ""
    form: Form = attrs.field(factory=dict)
    client: str = ""
