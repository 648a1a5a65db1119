"""A page to look at: the runs of a file in a browser, as an application that stands alone or is mounted.

Needs the extra `web`: nothing else of choragus imports it.
"""

from __future__ import annotations

from .application import RunsApp, runs_app

__all__ = ["RunsApp", "runs_app"]
