"""The live page: a server on the loopback address that explains again what a reader changes in the page."""
