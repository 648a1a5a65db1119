"""Model and tool calls of a run, recorded once and replayed ever after."""
