"""YAML with the lines that things stand on; the one module that knows the library."""

from __future__ import annotations

from types import ModuleType
from typing import cast

import attrs

from choragus.agents.errors import EvaluationFault


@attrs.frozen
class Marks:
    """On which lines the items of lists stand, by the key of the list."""

    lines: dict[tuple[str, int], int] = attrs.field(factory=dict)

    def line(self, key: str, number: int) -> int:
        """The line of that item, counted from 1; 0 where nobody knows."""
        return self.lines.get((key, number), 0)


def read_yaml(file: str, text: str) -> tuple[object, Marks]:
    """What a YAML document holds, in plain types only, and where.

    Raises:
        EvaluationFault: when it is no YAML, with the line.
        ImportError: without the extra.
    """
    yaml = _yaml()
    try:
        content = cast("object", yaml.safe_load(text))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        why = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise EvaluationFault(f"{file}{line}: {why}") from None
    lines: dict[tuple[str, int], int] = {}
    for key, value in getattr(node, "value", []) if isinstance(content, dict) else []:
        for number, item in enumerate(value.value if isinstance(value, yaml.SequenceNode) else []):
            lines[key.value, number] = item.start_mark.line + 1
    return content, Marks(lines)


def _yaml() -> ModuleType:
    try:
        import yaml  # its import takes as long as all of ours
    except ImportError:
        raise ImportError("cases in YAML need PyYAML: pip install 'choragus[yaml]', or write them as JSON") from None
    return yaml
