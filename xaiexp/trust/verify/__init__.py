"""Repeats a finished study from its record: what changed since, and which numbers moved."""
