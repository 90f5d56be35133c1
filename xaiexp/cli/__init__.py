"""The program ``xaiexp``: ``app.py`` is the Hydra application, and every tool has a file."""
