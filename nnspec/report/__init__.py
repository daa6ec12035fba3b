"""What is said to the writer: places in a source, diagnostics, their drawing and explanation."""
