"""The plan of a run: its steps, how far they are, what proves each one done, and what happens where one fails."""
