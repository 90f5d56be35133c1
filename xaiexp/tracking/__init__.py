"""Trackers that studies are logged to; MLflow."""
