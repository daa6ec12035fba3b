"""What each op is in ONNX: one file a family, one record or rule an op."""
