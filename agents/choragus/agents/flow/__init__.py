"""Information flow: where values come from, and what may be done with them. Its names are at the door above."""
