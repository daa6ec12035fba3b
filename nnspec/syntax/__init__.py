"""Text to tree and back: parsing, recovery after an error, formatting."""
