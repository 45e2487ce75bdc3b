"""Weights: read from files, ours and foreign ones, and brought into networks."""
