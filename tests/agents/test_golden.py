"""A run that an earlier version left waiting for a person goes on, whatever schema its file had."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from choragus.agents.runtime import Runtime
from choragus.mailbox.schema import MIGRATIONS

from .cli_clerk import RUN, clerk

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS) + 1))
async def test_a_run_of_an_earlier_version_is_gone_on_with(schema: int, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(lzma.decompress((GOLDEN / f"runs-{schema}.db.xz").read_bytes()))

    async with Runtime(path, agents=[clerk()], on_change="warn") as runtime:
        run = await runtime.run(RUN)
        (approval,) = await run.pending()
        await run.approve(approval, by="mia")

        assert await run.result(5.0) == "All is paid.\nNothing is left."
        assert (await runtime.store.verify()).problems == ()
