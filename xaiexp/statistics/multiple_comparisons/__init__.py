"""Tests and intervals of all differences between cells that hold together, and what is printed of them."""
