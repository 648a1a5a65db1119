"""The audit example under the interposer: kills and errors at the storage calls of a whole run of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))

from tests.scenarios.audit import audit
from tests.scenarios.fixture_tree import build

from .clerk import TOLD
from .family import Extent, family
from .interposer import Kind, Mode
from .io_error import ERRORS, plans
from .io_error import PROMISED as SAID
from .kills import pairs, row_of, singles
from .person import is_asked, is_told_of
from .row import Row
from .stand import Stand, Workload

KINDS = ("EIO at a write", "EIO at a flush", "ENOSPC for a while")
"""The errors of the disk that it is tried with; the other workloads have all of them."""


def audited(folder: Path) -> Workload:
    """An audit of a small environment, which is built in the folder."""
    tree = folder / "environment"
    if not tree.exists():
        build(tree)
    return Workload(name="audit", scenario=partial(audit, tree=tree, told=is_told_of, asked=is_asked), allowed=TOLD)


@family("audit")
def audits(extent: Extent) -> Iterator[Row]:
    """Kills, pairs of them, and some errors."""
    share = max(1, extent.points // 12)
    with Stand(audited(extent.folder), extent.library, extent.servers) as stand:
        yield row_of(stand, "SIGKILL before a call", singles(stand.calls, Mode.KILL, share))
        yield row_of(stand, "SIGKILL in the middle of a call", singles(stand.calls, Mode.TORN, share))
        yield row_of(stand, "two kills", pairs(stand.calls, share, extent.seed), hits=2)
        counts = {kinds: stand.count(kinds) for kinds in (Kind.WRITE, Kind.SYNC)}
        for error in ERRORS:
            if error.fault in KINDS:
                yield row_of(stand, error.fault, plans(error, counts[error.kinds], share // 3 + 1), SAID)
