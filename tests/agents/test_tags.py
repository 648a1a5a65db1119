"""What is stored can be read before its module was imported."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORED = re.compile(r'^@stored\(\s*"([a-z0-9_.]+)"', re.MULTILINE)

READ = """
import sys, choragus.FLOOR
from choragus.FLOOR.tags import TAGS
from choragus.mailbox.codec import Record, decode
from choragus.mailbox.errors import CorruptRecord
assert not [module for module in TAGS.values() if module in sys.modules]
for tag in TAGS:
    try:
        decode(Record(tag, 1, b"[]"))
    except CorruptRecord:
        pass  # its class is there, and says that this is nothing of it
    print(tag)
"""


def declared(floor: str) -> dict[str, str]:
    """The tags in the source of a floor, each with its module."""
    source = ROOT / floor
    return {
        tag: ".".join(path.relative_to(source).with_suffix("").parts)
        for path in (source / "choragus").rglob("*.py")
        for tag in STORED.findall(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("floor", ["actors", "agents"])
def test_the_table_of_tags_names_the_module_of_each_stored_class(floor: str) -> None:
    assert dict(import_module(f"choragus.{floor}.tags").TAGS) == declared(floor)


@pytest.mark.parametrize("floor", ["mailbox", "supervision"])
def test_a_floor_without_a_table_stores_nothing_of_its_own(floor: str) -> None:
    assert declared(floor) == {}


@pytest.mark.parametrize("floor", ["actors", "agents"])
def test_every_stored_class_is_found_in_a_process_that_has_imported_none(floor: str) -> None:
    done = subprocess.run([sys.executable, "-c", READ.replace("FLOOR", floor)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-2_000:]
    assert sorted(done.stdout.split()) == sorted(declared(floor))
