"""Very many images and videos through a model, in pieces that a killed run need not do again."""
