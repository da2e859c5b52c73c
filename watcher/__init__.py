"""Watches Azure OpenAI fine-tuning jobs and deployments, and tells their owners in time."""

__version__ = "0.1.0"
