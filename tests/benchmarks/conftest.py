"""The benchmarks are scripts beside the library and not installed with it: they are found from the root."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
