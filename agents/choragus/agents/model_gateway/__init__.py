"""The model gateway: how a model is called, what is heard while it answers, and what is tried when it fails."""
