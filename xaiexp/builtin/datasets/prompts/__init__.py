"""Prompts of language models: from a file of the user, and of small languages whose answers are known."""
