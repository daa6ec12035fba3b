"""What each op is in Gluon: one file a family, one record or rule an op.

Everything is written once, with operators of `F`: a block is handed the namespace under that name, a training step
has `nd` in its place, a symbol graph `mx.sym` (`codegen/gluon/namespace.py`).
"""
