"""What a disk may look like when the power fails: certain is what was flushed, and of the rest any part."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from .disk import Disk, File, Loss
from .journal import HEAD, Done, What, read

SEEDS = range(200)


def created(name: str, file: int) -> Done:
    return Done(What.CREATED, file, name, 0, b"")


def written(file: int, offset: int, data: bytes) -> Done:
    return Done(What.WRITTEN, file, "", offset, data)


def flushed(file: int) -> Done:
    return Done(What.FLUSHED, file, "", 0, b"")


def resized(file: int, size: int) -> Done:
    return Done(What.RESIZED, file, "", size, b"")


FOLDER = flushed(99)


def images(*calls: Done) -> list[dict[str, bytes]]:
    disk = Disk()
    for call in calls:
        disk.do(call)
    return [disk.image(random.Random(seed)) for seed in SEEDS]


def test_what_was_flushed_is_there_and_what_came_later_may_be() -> None:
    found = images(created("a", 1), written(1, 0, b"old"), flushed(1), FOLDER, written(1, 0, b"new"))

    assert {image["a"] for image in found} >= {b"old", b"new"}
    assert all(image["a"] in (b"old", b"new", b"nld", b"ned") for image in found)


def test_a_later_page_may_be_there_without_an_earlier_one() -> None:
    earlier, later = written(1, 0, b"x" * 4096), written(1, 4096, b"y" * 4096)

    found = {image["a"] for image in images(created("a", 1), FOLDER, earlier, later)}

    assert bytes(4096) + b"y" * 4096 in found


def test_a_write_may_be_torn_between_two_sectors() -> None:
    found = {image["a"] for image in images(created("a", 1), FOLDER, written(1, 0, b"x" * 4096))}

    assert any(content.strip(b"\0") and len(content.strip(b"\0")) < 4096 for content in found)


def test_a_truncation_that_was_not_flushed_may_not_have_happened() -> None:
    calls = (created("a", 1), written(1, 0, b"x" * 100), flushed(1), FOLDER, resized(1, 10))

    assert {len(image["a"]) for image in images(*calls)} == {10, 100}
    assert {len(image["a"]) for image in images(*calls, flushed(1))} == {10}


@pytest.mark.parametrize(
    ("then", "certain", "possible"),
    [
        pytest.param(Done(What.UNLINKED, 0, "a", 0, b""), [], [{"a"}, set()], id="unlink"),
        pytest.param(Done(What.RENAMED, 0, "a", 0, b"b"), ["b"], [{"a"}, {"b"}], id="rename"),
        pytest.param(Done(What.LINKED, 0, "a", 0, b"b"), ["a", "b"], [{"a"}, {"a", "b"}], id="link"),
        pytest.param(created("b", 2), ["a", "b"], [{"a"}, {"a", "b"}], id="create"),
    ],
)
def test_what_was_done_to_a_name_is_certain_with_its_folder_only(
    then: Done, certain: list[str], possible: list[set[str]]
) -> None:
    before = (created("a", 1), flushed(1), FOLDER, then)

    assert {frozenset(image) for image in images(*before)} == {frozenset(names) for names in possible}
    assert {frozenset(image) for image in images(*before, FOLDER)} == {frozenset(certain)}


def test_a_file_that_is_made_anew_is_another_though_its_number_is_the_same() -> None:
    gone = Done(What.UNLINKED, 0, "a", 0, b"")
    calls = (created("a", 1), written(1, 0, b"old"), flushed(1), FOLDER, gone, created("a", 1), FOLDER)

    assert {image["a"] for image in images(*calls)} == {b""}


def test_an_acknowledgement_is_kept_and_changes_nothing() -> None:
    disk = Disk()

    disk.do(Done(What.ACKNOWLEDGED, 0, "", 7, b""))

    assert disk.acknowledged == 7
    assert disk.image(random.Random(0)) == {}


@pytest.mark.parametrize("loss", list(Loss))
def test_a_file_that_was_flushed_has_one_content(loss: Loss) -> None:
    file = File(pending=[written(1, 2, b"xy")])
    file.flush()

    assert {file.drawn(loss, random.Random(seed)) for seed in SEEDS} == {b"\0\0xy"}


def test_a_log_is_read_as_far_as_it_was_written(tmp_path: Path) -> None:
    log = tmp_path / "log"
    whole = HEAD.pack(What.CREATED, 1, 5, 0, 0) + b"a" + HEAD.pack(What.WRITTEN, 0, 5, 9, 3) + b"xyz"
    log.write_bytes(whole + struct.pack("=I", What.WRITTEN) + HEAD.pack(What.WRITTEN, 0, 5, 0, 100)[4:] + b"cut short")

    assert list(read(log)) == [created("a", 5), written(5, 9, b"xyz")]
