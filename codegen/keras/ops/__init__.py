"""What each op is in Keras: one file a family, one record or rule an op."""
