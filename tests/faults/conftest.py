"""The interposer, compiled once; and the workloads on their servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .interposer import build, missing
from .kills import ACTORS, AGENT, VISITOR
from .stand import Stand

collect_ignore_glob = ["*_rival.py"]
"""They import libraries that may not be there, and hold no tests."""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if why := missing():
        pytest.skip(why)
    return build(tmp_path_factory.mktemp("interposer"))


@pytest.fixture(scope="session")
def actors(library: Path) -> Iterator[Stand]:
    with Stand(ACTORS, library) as stand:
        yield stand


@pytest.fixture(scope="session")
def agent(library: Path) -> Iterator[Stand]:
    with Stand(AGENT, library) as stand:
        yield stand


@pytest.fixture(scope="session")
def visitor(library: Path) -> Iterator[Stand]:
    with Stand(VISITOR, library) as stand:
        yield stand
