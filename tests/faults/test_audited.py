"""The audit example survives what its disk and a kill may do at a storage call."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .audited import audited, audits
from .family import Extent, processors
from .interposer import Mode
from .kills import row_of, singles
from .stand import Stand


@pytest.fixture(scope="module")
def stand(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with Stand(audited(tmp_path_factory.mktemp("audited")), library) as stand:
        yield stand


def test_the_audit_survives_a_kill_at_a_storage_call(stand: Stand) -> None:
    row = row_of(stand, "SIGKILL", singles(stand.calls, Mode.KILL, 2))

    assert row.broken == ()
    assert row.points >= 1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_full_the_audit_under_faults_of_its_storage(library: Path, tmp_path: Path) -> None:
    rows = list(audits(Extent(points=2400, library=library, folder=tmp_path, servers=processors())))

    assert [one for row in rows for one in row.broken] == []
    assert sum(row.points for row in rows) > 600
