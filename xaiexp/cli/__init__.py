"""The program ``xaiexp``: ``app.py`` is the Hydra application, every tool has a file, ``tables.py`` and ``summary.py`` print."""
