"""Serving the page alone, until somebody ends it: by uvicorn, which is imported here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable

try:
    import uvicorn
except ImportError as error:
    raise ImportError("the page needs uvicorn: pip install 'choragus[web]'") from error

from .application import runs_app
from .gate import LOOPBACK, SHORTEST

GRACE = 1
"""Seconds that open streams of news get at the end."""

AT_ONCE = 200
"""Requests at a time."""


def check_place(host: str, token: str) -> None:
    """Refuse to serve beyond this machine without a token of somebody's choice.

    Raises:
        ValueError: with the remedy.
    """
    if host.lower() not in LOOPBACK and not token:
        raise ValueError(
            f"host {host!r} can be reached from other machines, and the page shows everything and decides: "
            f"give --token, of {SHORTEST} characters or more, or serve on 127.0.0.1"
        )


def serve(path: str, *, host: str, port: int, token: str, read_only: bool, names: Iterable[str] = ()) -> None:
    """Serve the page of a file until Ctrl-C.

    Args:
        token: what opens a session; never empty, for other people of this machine reach the port too.
        names: what it answers to on loopback beside the names of that, as those of a proxy before it.

    Raises:
        ValueError: when the token is too short, or missing for a host that others can reach.
    """
    check_place(host, token)
    hosts = LOOPBACK.union(names) if host.lower() in LOOPBACK else None
    app = runs_app(path, token=token, read_only=read_only, hosts=hosts)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,  # addresses may have the token in them
        server_header=False,
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=GRACE,
        ws="none",
        lifespan="off",
    )


def address(host: str, port: int, token: str) -> str:
    """What to open, with the token."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/?token={token}"
