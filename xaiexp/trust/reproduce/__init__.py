"""Repeats published results: ours, theirs, the truth where it is known, and why they differ."""
