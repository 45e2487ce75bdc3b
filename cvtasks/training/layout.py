"""What lies where in the folder of a run, beside the model that it becomes."""

CARD = "README.md"
LOG = "log.jsonl"
CHECKPOINTS = "checkpoints"
"""The folder of the next two."""
CHECKPOINT = "last.safetensors"
"""Everything that a run goes on from."""
BEST = "best.safetensors"
"""The weights that are kept."""
FOLDS = "folds.json"
"""In the folder of a cross-validation: how many folds there are, and at the end what they scored.
"""
