"""Boxes, letterboxes and run lengths: numbers alone."""
