"""Convolution and pooling by hand: written to be read, and drawn step by step."""
