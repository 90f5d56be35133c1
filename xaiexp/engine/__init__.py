"""Runs a plan: examples in chunks, one outcome for each cell and chunk, scores and agreements over the explanations.

Knows no MLflow and no Hydra; gives its results to the caller chunk by chunk.
"""
