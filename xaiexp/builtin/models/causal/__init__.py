"""Generative language models: prompts to embeddings, continuations to log-probabilities."""
