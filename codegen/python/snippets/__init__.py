"""Definitions that a generated Python target may have, as they stand in it (see `codegen/python/fixed.py`)."""
