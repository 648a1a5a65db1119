"""`choragus completion`: scripts that shells take, and that complete."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from choragus.agents.cli import main
from choragus.agents.cli.catalogue import COMMANDS
from choragus.agents.cli.completion import SHELLS
from choragus.agents.cli.exit import Exit


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of bash, in a folder with a database."""
    path = tmp_path_factory.mktemp("completion") / "choragus.bash"
    with pytest.MonkeyPatch.context() as patch, path.open("w") as file:
        patch.setattr("sys.stdout", file)
        assert main(["completion", "bash"]) == Exit.OK
    (path.parent / "runs.db").touch()
    return path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["app"], {"approvals", "approve"}),
        (["runs", "ru"], {"runs.db"}),
        (["runs", "runs.db", "--stat"], {"--status"}),
        (["runs", "runs.db", "--status", "can"], {"cancelled"}),
        (["show", "runs.db", "--tail", ""], set()),
        (["raise", "runs.db", "5f2c", "--cost"], {"--cost-usd"}),
        (["completion", ""], set(SHELLS)),
        (["dance", ""], set()),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else " ".join(value),
)
def test_bash_completes(words: list[str], offered: set[str], script: Path) -> None:
    typed = " ".join(f"'{word}'" for word in words)
    asked = (
        f"source {script}; COMP_WORDS=(choragus {typed}); COMP_CWORD={len(words)}; _choragus; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    ended = subprocess.run(
        ["bash", "--norc", "-c", asked], cwd=script.parent, capture_output=True, text=True, check=True
    )

    assert set(ended.stdout.split()) == offered
    assert ended.stderr == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_in_every_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == Exit.OK

    text = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in text] == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_take_theirs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    main(["completion", shell])

    check = subprocess.run([shell, "-n"], input=capsys.readouterr().out, text=True, capture_output=True, check=False)

    assert (check.returncode, check.stderr) == (0, "")


def test_an_unknown_shell_is_bad_usage() -> None:
    assert main(["completion", "cmd"]) == Exit.USAGE
