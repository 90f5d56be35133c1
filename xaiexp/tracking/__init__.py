"""Trackers that studies are sent to: which are asked, under which address, and what they have."""
