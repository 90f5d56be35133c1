"""Removals: what a removed feature is replaced with, and how far the masked inputs leave the data.

``fill.py`` selects a removal by name, ``imputation.py`` and ``multigrid.py`` compute noisy linear imputation,
``marginal.py`` draws replacements from the data. ``masking.py`` is the base class of the metrics that remove features,
``data_distance.py`` measures how far masked inputs leave the data.
"""
