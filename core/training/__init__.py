"""The one loop that every method is trained by, what it measures, and its checkpoints."""
