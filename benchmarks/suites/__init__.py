"""The measurements of ``python -m benchmarks``: each module has ``rows(quick)``, which returns the rows of a table."""
