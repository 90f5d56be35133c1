"""Trust over time and against the literature: what a finished study is held to, compared with and kept for."""
