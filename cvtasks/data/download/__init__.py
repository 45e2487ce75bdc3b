"""Data sets that can be fetched."""
