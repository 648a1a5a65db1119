"""What the model sees of a run: its budget, how it is kept within it, and why each piece stands there."""
