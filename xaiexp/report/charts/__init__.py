"""The charts of results as Vega-Lite specifications: one for the page, the notebook and the paper.

A chart is a function of a table whose columns it documents. ``python -m xaiexp.report.charts`` compiles all of them to
``specifications.json``, so that the page and ``xaiexp export`` need no Altair, which takes long to import.
"""
