"""What lies where in the folder of a run, beside the model that it becomes."""

CARD = "README.md"
LOG = "log.jsonl"
CHECKPOINTS = "checkpoints"
"""The folder of the next three."""
CHECKPOINT = "last.safetensors"
"""Everything that a run goes on from."""
BEST = "best.safetensors"
"""The weights that are kept."""
BEGINNING = "start.safetensors"
"""The weights that a run began with, where a share of them is kept."""
FOLDS = "folds.json"
"""In the folder of a cross-validation: how many folds there are, and at the end what they scored.
"""
LISTS = "lists"
"""There too: for each fold a folder of its name with the list of the images that it validates on.
"""
