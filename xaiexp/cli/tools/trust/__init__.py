"""The tools about trust over time and against the literature, a module each."""
