"""The examples of a study: which of them can be explained, and what their labels are."""
