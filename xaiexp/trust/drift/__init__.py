"""Compares two finished studies under one configuration: two periods of data, or two versions of a model."""
