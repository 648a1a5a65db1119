"""Servers of the Model Context Protocol: their tools in the hands of agents, and agents as tools of such a server."""
