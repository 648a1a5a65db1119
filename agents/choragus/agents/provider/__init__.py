"""Models of providers, through their official SDKs; none of those is imported before a model is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choragus.mailbox.door import lazily

if TYPE_CHECKING:
    from .anthropic import AnthropicModel
    from .openai import OpenAIModel
    from .registry import model_named

__all__ = ["AnthropicModel", "OpenAIModel", "model_named"]

_MODULES = {".anthropic": ("AnthropicModel",), ".openai": ("OpenAIModel",), ".registry": ("model_named",)}

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _MODULES)
