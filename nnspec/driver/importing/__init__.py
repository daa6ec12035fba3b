"""Weights that other programs trained, under the names and in the layouts of a spec."""
