"""The version of nnspec, as generated files name it."""

__version__ = "0.1.0"
