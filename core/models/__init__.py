"""The network that every method trains: encoders, fusion, modality classifiers."""
