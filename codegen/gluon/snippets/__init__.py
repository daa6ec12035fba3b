"""Definitions that a generated Gluon program may have, as they stand in it (see `codegen/python/fixed.py`)."""
