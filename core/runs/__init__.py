"""What a run is, its folder, the job that executes it, and who launches it."""
