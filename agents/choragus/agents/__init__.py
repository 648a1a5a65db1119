"""The agent runtime of choragus."""
