"""What a network computes, layer by layer: sizes, costs, receptive fields, and the exercises about
them.
"""
