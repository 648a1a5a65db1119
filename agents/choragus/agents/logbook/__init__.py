"""The logbook of a file: the kinds of its entries, and how they are searched."""
