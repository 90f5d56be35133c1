"""Keeps explanations of a fixed probe set by version of the model and date, and shows them over time."""
