"""Holds a finished study to rules: each passes, fails, or is undecided with a number of examples that would decide."""
