"""The content-addressed store of attributions and scores, content hashes, and atomic file writes."""
