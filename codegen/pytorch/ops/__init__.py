"""What each op is in PyTorch: one file a family, one record or rule an op."""
