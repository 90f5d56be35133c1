"""Networks from a model registry."""
