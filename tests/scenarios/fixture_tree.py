"""A small site-packages folder, always the same bytes, in which each check of the audit has something to find.

| distribution | what is wrong with it |
| --- | --- |
| alpha 1.0 | requires beta>=2, but beta 1.5 is installed |
| beta 1.5 | nothing |
| delta 0.3 | METADATA is not UTF-8: it was damaged after its installation, so its RECORD disagrees too |
| epsilon 1.1 | an unmet requirement, one that delta's damage leaves undecided, and a licence of its own make |
| gamma 2.0 | RECORD lies: gamma/core.py is changed and gamma/gone.py is absent |
| zeta 4.0 | neither a declared licence nor a licence file; it is also why beta is below 2 |
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import attrs

DAMAGE = b"\xff\xfe\x00 damaged \x80"


@attrs.frozen
class _Package:
    name: str
    version: str
    headers: tuple[str, ...]
    licence: str = "MIT License\n\nPermission is hereby granted, free of charge, to any person.\n"

    @property
    def info(self) -> str:
        return f"{self.name}-{self.version}.dist-info"

    def files(self) -> dict[str, bytes]:
        """Return what the wheel holds, by path, without its RECORD."""
        metadata = ("Metadata-Version: 2.4", f"Name: {self.name}", f"Version: {self.version}", *self.headers, "")
        held = {
            f"{self.name}/__init__.py": f'__version__ = "{self.version}"\n',
            f"{self.name}/core.py": f'def greet() -> str:\n    return "{self.name}"\n',
            f"{self.info}/METADATA": "\n".join(metadata),
            f"{self.info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{self.info}/INSTALLER": "fixture\n",
        }
        if self.licence:
            held[f"{self.info}/licenses/LICENSE"] = self.licence
        return {path: text.encode("utf-8") for path, text in sorted(held.items())}


MIT = ("License-Expression: MIT", "License-File: LICENSE")
BSD = ("License-File: LICENSE", "Classifier: License :: OSI Approved :: BSD License")
OWN = ("License-Expression: LicenseRef-Epsilon", "License-File: LICENSE")
PACKAGES = (
    _Package(
        "alpha",
        "1.0",
        (*MIT, "Requires-Dist: beta>=2", "Requires-Dist: gamma>=1", "Requires-Dist: old; os_name == 'z'"),
    ),
    _Package("beta", "1.5", (*BSD, "Requires-Dist: gamma")),
    _Package("delta", "0.3", (*MIT, "Requires-Dist: alpha")),
    _Package("epsilon", "1.1", (*OWN, "Requires-Dist: omega>=3", "Requires-Dist: delta>=0.1")),
    _Package("gamma", "2.0", MIT),
    _Package("zeta", "4.0", ("Requires-Dist: beta<2",), licence=""),
)


def build(root: Path) -> None:
    """Build the tree in `root`, which is made if need be and must be empty.

    Raises:
        ValueError: when `root` holds anything.
    """
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise ValueError(f"{str(root)!r} is not empty; give an empty or a new folder")
    for package in PACKAGES:
        _install(root, package)
    (root / "delta-0.3.dist-info/METADATA").write_bytes(b"Metadata-Version: 2.4\nName: delta\n" + DAMAGE)
    (root / "gamma/core.py").write_bytes(b'def greet() -> str:\n    return "someone else"\n')
    (root / "gamma/gone.py").unlink()


def _install(root: Path, package: _Package) -> None:
    files = package.files()
    if package.name == "gamma":
        files["gamma/gone.py"] = b"GONE = True\n"
    rows = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    files[f"{package.info}/RECORD"] = "\n".join([*rows, f"{package.info}/RECORD,,", ""]).encode("utf-8")
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode("ascii").rstrip("=")
