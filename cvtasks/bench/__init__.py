"""Engines and exported files, timed on the same images: each in a process of its own, in turns."""
