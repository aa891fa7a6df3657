"""Encoders, fusion and modality classifiers: one network that every method trains."""
