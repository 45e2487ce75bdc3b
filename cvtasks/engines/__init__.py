"""Engines: the same network, run by Keras on any back end or as a compiled graph on the CPU."""
