"""Training: from a recipe to a finished model folder."""
