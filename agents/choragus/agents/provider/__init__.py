"""Models of providers, through their official SDKs; none of those is imported before a model is made."""

from __future__ import annotations

from .anthropic import AnthropicModel
from .openai import OpenAIModel
from .registry import model_named

__all__ = ["AnthropicModel", "OpenAIModel", "model_named"]
