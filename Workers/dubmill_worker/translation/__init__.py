"""Prompts for language models, and checks of what they answer."""
