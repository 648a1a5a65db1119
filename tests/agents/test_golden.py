"""A run that an earlier version left waiting for a person goes on, whatever schema its file had."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from choragus.agents.runtime import Runtime
from choragus.agents.state import Status
from choragus.mailbox.schema import MIGRATIONS

from .cli_clerk import RUN, clerk
from .guarded import LEDGER, agents

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


@pytest.mark.parametrize("schema", range(5, len(MIGRATIONS) + 1))
async def test_a_run_with_all_that_guards_it_is_gone_on_with(schema: int, tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    file.write_bytes(lzma.decompress((GOLDEN / f"guarded-{schema}.db.xz").read_bytes()))

    async with Runtime(file, agents=agents(), ledgers=[LEDGER], on_change="warn") as runtime:
        above, below = [await runtime.run(one.run) for one in await runtime.runs()]
        (rule,) = await runtime.rules.all()
        (question,) = await below.pending()
        await question.answer("blue", by="mia")
        paused = await below.status()
        await below.resume(by="mia")
        answer = await below.result(5.0)
        (payment,) = await above.pending()
        await payment.approve(by="mia", arguments={"amount": 40})
        last = await above.result(5.0)
        (spent,) = await runtime.ledgers()

        assert (rule.uses, paused.status, answer, last) == (1, Status.PAUSED, "It is settled.", "All is done.")
        assert spent.cost_usd > 0.02
        assert (await runtime.store.verify()).problems == ()
