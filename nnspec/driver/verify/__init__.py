"""Agreement of targets: the same weights and inputs everywhere, and how far the numbers lie apart."""
