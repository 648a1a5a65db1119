"""S10: a tool that is told which file to open reads nothing outside its folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from choragus.agents.errors import AgentFault, NotPermitted
from choragus.agents.policy.path import PathBoundary


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a file, beside a secret."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "sub" / "plain").write_text("plain")
    return tmp_path / "data"


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "sub/../../secret",
        "sub/..",
        "/etc/passwd",
        "//etc/passwd",
        "sub/plain\0.txt",
        "",
        ".",
        "/",
        "sub/",
        "x" * 5000,
        "a/" * 100 + "b",
    ],
)
def test_s10_a_path_that_leads_out_is_refused(root: Path, path: str) -> None:
    boundary = PathBoundary(root)

    with pytest.raises(NotPermitted):
        boundary.open(path)

    assert boundary.permits(path)


def test_s10_a_prefix_of_the_folders_name_is_another_folder(root: Path) -> None:
    (root.parent / "data-private").mkdir()
    (root.parent / "data-private" / "x").write_text("x")

    with pytest.raises(NotPermitted, match="it is not below"):
        PathBoundary(root).open(str(root.parent / "data-private" / "x"))


@pytest.mark.parametrize("target", ["../secret", "/etc/passwd", "sub/plain", "nowhere"])
def test_s10_a_link_is_refused_wherever_it_leads(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)

    with pytest.raises(NotPermitted, match=r"'link' is a link$"):
        PathBoundary(root).open("link")
    with pytest.raises(NotPermitted, match=r"'link' is a link$"):
        PathBoundary(root).open("link", "wb")


def test_s10_a_linked_folder_on_the_way_is_refused(root: Path) -> None:
    (root / "way").symlink_to("..")

    with pytest.raises(NotPermitted, match=r"'way' is a link$"):
        PathBoundary(root).open("way/secret")


@pytest.fixture
def swapping(root: Path) -> Iterator[None]:
    """Another thread that exchanges a file and a folder for links to the outside, again and again."""
    over = threading.Event()
    (root / "swapped").write_text("plain")
    (root / "folder").mkdir()
    (root / "folder" / "secret").write_text("plain")
    (root / "evil").symlink_to("../secret")
    (root / "evil-folder").symlink_to("..")

    def swap() -> None:
        while not over.is_set():
            for one, other in (("swapped", "evil"), ("folder", "evil-folder")):
                os.rename(root / one, root / "aside")
                os.rename(root / other, root / one)
                os.rename(root / "aside", root / other)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("swapping")
@pytest.mark.parametrize("path", ["swapped", "folder/secret"])
def test_s10_a_link_that_is_put_there_between_check_and_use_is_not_followed(root: Path, path: str) -> None:
    boundary, read = PathBoundary(root), set()

    for _ in range(1_500):
        try:
            with boundary.open(path) as file:
                read.add(file.read())
        except (NotPermitted, FileNotFoundError):
            pass

    assert read <= {b"plain"}


def test_s10_a_second_name_of_an_outside_file_is_refused(root: Path) -> None:
    os.link(root.parent / "secret", root / "hard")

    with pytest.raises(NotPermitted, match="hard links"):
        PathBoundary(root).open("hard", "wb")

    assert (root.parent / "secret").read_text() == "secret"


def test_s10_a_pipe_or_a_folder_is_refused_at_once(root: Path) -> None:
    os.mkfifo(root / "pipe")

    with pytest.raises(NotPermitted, match="no plain file"):
        PathBoundary(root).open("pipe")
    with pytest.raises(NotPermitted, match="no plain file"):
        PathBoundary(root).open("sub")


def test_a_file_below_the_folder_is_opened(root: Path) -> None:
    boundary = PathBoundary(root)

    for path in ("sub/plain", "./sub//plain", str(root / "sub" / "plain")):
        with boundary.open(path) as file:
            assert file.read() == b"plain"


def test_a_file_can_be_written(root: Path) -> None:
    boundary = PathBoundary(root)
    for mode, text in (("xb", b"new"), ("ab", b"er"), ("wb", b"old")):
        with boundary.open("sub/new", mode) as file:  # type: ignore[arg-type]  # the modes that it takes
            file.write(text)

    assert (root / "sub" / "new").read_bytes() == b"old"
    with pytest.raises(FileExistsError):
        boundary.open("sub/new", "xb")
    with pytest.raises(FileNotFoundError):
        boundary.open("sub/none")


def test_no_descriptor_is_left_open(root: Path) -> None:
    boundary, before = PathBoundary(root), len(os.listdir("/proc/self/fd"))
    os.mkfifo(root / "pipe")

    for path in ("sub/none", "pipe", "sub", "none/x", "sub/plain"):
        with suppress(NotPermitted, FileNotFoundError):
            boundary.open(path).close()

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_is_not_absolute_is_refused() -> None:
    with pytest.raises(AgentFault, match=r"^PathBoundary\('data'\): give an absolute path"):
        PathBoundary("data")
