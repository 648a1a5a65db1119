"""What makes a tool call hold: its declaration, its limits, where it runs, its secrets, and what undoes it."""
