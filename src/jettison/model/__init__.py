"""Frozen data without I/O: what every other package talks about."""
