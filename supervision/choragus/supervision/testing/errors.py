"""What `crash_everywhere` refuses.

ChoragusError
└─ ScenarioFault (ValueError)  the scenario cannot be loaded, fails undisturbed, or is another each time
"""

from __future__ import annotations

from choragus.mailbox.errors import ChoragusError


class ScenarioFault(ChoragusError, ValueError):
    """Raised when a scenario is none, before anything was crashed; the message says why and what to do."""
