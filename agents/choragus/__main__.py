"""`python -m choragus`: the command line."""

from __future__ import annotations

import sys

from choragus.agents.cli import main

if __name__ == "__main__":
    sys.exit(main())
