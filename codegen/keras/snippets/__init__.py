"""Definitions that a generated Keras program may have, as they stand in it (see `codegen/python/fixed.py`)."""
