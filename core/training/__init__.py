"""The one training loop, its telemetry and its checkpoints."""
