"""modelkeep: a model registry that keeps its word."""

__version__ = "0.1.0"
