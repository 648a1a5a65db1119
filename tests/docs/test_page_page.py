"""docs/page.md names all that the page can be made with, and its pictures are there; the example does what it says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from tests.scenarios.test_plain_examples import EXAMPLES, ROOT, printed

pytest.importorskip("uvicorn", reason="the extra is missing: pip install 'choragus[web]'")

from choragus.agents.cli.parser import parser
from choragus.agents.web import runs_app

PAGE = (ROOT / "docs" / "page.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"!\[[^]]+\]\((pictures/\w[\w-]*\.png)\)", PAGE)


@pytest.mark.parametrize("name", [name for name in inspect.signature(runs_app).parameters if name != "source"])
def test_the_page_names_every_argument(name: str) -> None:
    assert f"`{name}=" in PAGE


def test_the_page_names_every_option_of_the_command() -> None:
    (commands,) = [one for one in parser(["ui"])._actions if one.dest == "ui" or isinstance(one.choices, dict)]
    assert isinstance(commands.choices, dict)
    options = {name for one in commands.choices["ui"]._actions for name in one.option_strings} - {"-h", "--help"}

    assert "--token" in options
    assert {one for one in options if f"`{one}`" not in PAGE} == set()


def test_the_pictures_are_small_and_all_of_them_are_shown() -> None:
    there = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").glob("*.png")}

    assert {Path(name).name for name in PICTURES} <= set(there)
    assert len(PICTURES) >= 3
    assert {name: size for name, size in there.items() if size > 150_000} == {}


def test_a_person_decides_on_the_mounted_page(tmp_path: Path) -> None:
    assert printed("mounted_page", tmp_path) == [
        "the page: pay: May it run? A-17, 150.00",
        "the tool: paid 120.00 for A-17",
        "the page: decided, and taken up.",
        "the run: All is paid.",
    ]
    assert len((EXAMPLES / "mounted_page.py").read_text(encoding="utf-8").splitlines()) <= 120
