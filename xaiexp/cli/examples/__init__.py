"""A complete plugin of each kind: what ``xaiexp plugins new`` writes and ``docs/plugins.md`` shows."""
