"""Definitions that a generated PyTorch program may have, as they stand in it (see `codegen/python/fixed.py`)."""
