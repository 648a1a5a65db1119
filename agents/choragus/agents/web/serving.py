"""Serving the page alone, until somebody ends it: by uvicorn, which is imported here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from socket import AF_INET, AF_INET6, create_server

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


def check_free(host: str, port: int) -> None:
    """Refuse a place that cannot be served, before anybody is told of it.

    Raises:
        ValueError: when there is no such host here, or something else listens there.
    """
    try:
        create_server((host, port), family=AF_INET6 if ":" in host else AF_INET).close()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise ValueError(f"nothing can be served at {host} port {port}: {why}; give another --port") from None


def serve(
    path: str, *, host: str, port: int, token: str, read_only: bool, names: Iterable[str] = (), told: str = ""
) -> None:
    """Serve the page of a file until Ctrl-C; `told` is printed before that.

    Args:
        token: what opens a session; never empty, for other people of this machine reach the port too.
        names: what it answers to on loopback beside the names of that, as those of a proxy before it.

    Raises:
        ValueError: when the token is too short, or missing for a host that others can reach, or the port is taken.
    """
    check_place(host, token)
    hosts = LOOPBACK.union(names) if host.lower() in LOOPBACK else None
    app = runs_app(path, token=token, read_only=read_only, hosts=hosts)
    check_free(host, port)
    if told:
        print(told, flush=True)
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
