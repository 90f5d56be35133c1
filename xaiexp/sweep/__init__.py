"""Sweeps that can be continued: which jobs a line has, which are done, and the tables over all of them."""
