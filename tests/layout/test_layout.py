"""The four source roots of one namespace package, and the doors of its sub-packages."""

from __future__ import annotations

import ast
import importlib
import inspect
import mailbox
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("mailbox", "actors", "supervision", "agents")
DOORS = (
    *FLOORS,
    "agents.evaluation",
    "agents.figures",
    "agents.knowledge",
    "agents.policy",
    "agents.web",
    "actors.testing",
    "supervision.testing",
    "agents.testing",
)


def test_the_namespace_package_has_no_init_file() -> None:
    """One `choragus/__init__.py` would hide the other three roots."""
    assert [str(path) for path in ROOT.glob("*/choragus/__init__.py")] == []


@pytest.mark.parametrize("folder", [*FLOORS, "tests"])
def test_source_roots_and_tests_are_no_packages(folder: str) -> None:
    found = [ROOT / folder / "__init__.py", *(ROOT / "tests").rglob("__init__.py")]

    assert [str(path) for path in found if path.exists()] == []


@pytest.mark.parametrize("floor", FLOORS)
def test_every_floor_has_a_door_and_says_that_it_is_typed(floor: str) -> None:
    package = ROOT / floor / "choragus" / floor

    assert (package / "__init__.py").exists()
    assert (package / "py.typed").exists()


def test_the_standard_librarys_mailbox_is_still_the_standard_librarys() -> None:
    assert hasattr(mailbox, "Maildir")


@pytest.mark.parametrize("floor", DOORS)
def test_what_a_door_offers_is_sorted_and_there(floor: str) -> None:
    door = importlib.import_module(f"choragus.{floor}")
    offered: list[str] = door.__all__

    assert offered == sorted(offered)
    assert len(set(offered)) == len(offered)
    assert [name for name in offered if not hasattr(door, name)] == []


@pytest.mark.parametrize("floor", DOORS)
def test_every_public_name_has_a_docstring(floor: str) -> None:
    door = importlib.import_module(f"choragus.{floor}")
    public = {name: getattr(door, name) for name in door.__all__}
    things = {name: value for name, value in public.items() if inspect.isclass(value) or inspect.isfunction(value)}

    assert door.__doc__
    assert [name for name, value in things.items() if not value.__doc__] == []
    assert [
        f"{name}.{member}"
        for name, value in things.items()
        for member, function in vars(value).items()
        if not member.startswith("_") and inspect.isfunction(function) and not inspect.getdoc(getattr(value, member))
    ] == []


@pytest.mark.slow
def test_the_tests_are_collected_where_no_extra_is_installed() -> None:
    """Modules that import an extra are looked into for doctests; then they are left out, and are no errors."""
    extras = ["openai", "anthropic", "mcp", "mcp_types", "httpx2", "jsonschema", "genai_prices", "numpy"]
    extras += ["starlette", "uvicorn", "playwright"]
    parts = ["agents/choragus/agents", "tests/agents/mcp", "tests/agents/provider", "tests/agents/knowledge"]
    parts += ["tests/web", "tests/docs/test_page_page.py"]
    code = f"import sys\nsys.modules.update(dict.fromkeys({extras}))\nimport pytest\n" + (
        f"sys.exit(pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', *{parts}]))"
    )

    collected = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert collected.returncode == 0, collected.stdout[-2_000:]


def test_a_floor_is_imported_by_its_modules_never_by_its_door() -> None:
    """Within the library; users go through the doors."""
    guilty = [
        f"{path.relative_to(ROOT)}: {line}"
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(tuple(f"from choragus.{floor} import" for floor in FLOORS))
    ]

    assert guilty == []


def test_the_lazy_door_gives_what_its_imports_say() -> None:
    """Type checkers read the imports, the interpreter the table: both name the same."""
    door = importlib.import_module("choragus.agents")
    tree = ast.parse(Path(str(door.__file__)).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        str(node.module): tuple(sorted(alias.name for alias in node.names))
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }

    assert {module: tuple(sorted(names)) for module, names in door._MODULES.items()} == imported
    assert sorted(name for names in imported.values() for name in names) == sorted(door.__all__)


def test_the_lazy_door_imports_nothing_by_itself_and_keeps_its_names() -> None:
    """A function of the door has the name of the module that defines it."""
    script = (
        "import sys, choragus.agents; print([m for m in sys.modules if m.startswith('choragus.agents.')]);"
        "import choragus.agents.agent; from choragus.agents import tool; print(tool.__name__, callable(tool))"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\ntool True\n"
