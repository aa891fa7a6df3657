"""MultiFair: training, auditing and comparing fair multimodal medical classifiers."""

__version__ = "0.1.0"
