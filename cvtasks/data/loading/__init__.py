"""From samples to batches: augmented, mixed, encoded, ahead of time."""
