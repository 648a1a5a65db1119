"""What a run ran on: identity and provenance, what differs between two, and what follows from that."""
