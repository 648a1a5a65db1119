"""The checks of the audit: plain functions over a site-packages folder that give JSON-ready values.

Each takes `root`, the folder, and all but the first the name of a distribution. They read files and change nothing;
results are sorted, name 20 items at most, and hold neither times nor absolute paths, so the same tree always gives the
same result.
"""

from __future__ import annotations

from .inventory import list_distributions
from .licence import check_licence
from .record import check_files
from .requirement import check_requirements, who_requires

__all__ = ["check_files", "check_licence", "check_requirements", "list_distributions", "who_requires"]
