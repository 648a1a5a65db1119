"""What a message is, where it waits, and how a turn commits. No task, no actor."""
