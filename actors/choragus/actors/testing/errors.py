"""What a simulation reports, as one tree.

    ChoragusError
    ├─ Deadlock (RuntimeError)      nothing can happen any more and the test has not ended
    ├─ Overrun (RuntimeError)       too many steps: something goes on for ever
    └─ NotSimulated (RuntimeError)  a thread, a socket, a process or a signal inside a simulation

Names are those of the outcome and carry no suffix.
"""

from __future__ import annotations

from collections.abc import Sequence

from choragus.mailbox.errors import ChoragusError


class Deadlock(ChoragusError, RuntimeError):
    """Raised when nothing is ready and no timer is set; `waiting` says which task waits where."""

    def __init__(self, at: float, waiting: Sequence[str]) -> None:
        tasks = "".join(f"\n  {one}" for one in waiting)
        super().__init__(f"at {at:g} s nothing is ready and no timer is set; these tasks wait for ever:{tasks}")
        self.at = at
        self.waiting = tuple(waiting)


class Overrun(ChoragusError, RuntimeError):
    """Raised when a simulation takes more steps than it may; `waiting` says which task is where."""

    def __init__(self, at: float, steps: int, waiting: Sequence[str]) -> None:
        tasks = "".join(f"\n  {one}" for one in waiting)
        super().__init__(f"{steps} steps (the limit) and at {at:g} s no end: raise steps=, or see who spins:{tasks}")
        self.at = at
        self.steps = steps
        self.waiting = tuple(waiting)


class NotSimulated(ChoragusError, RuntimeError):
    """Raised when simulated code reaches for the outside: a thread, a socket, a process, a signal."""
