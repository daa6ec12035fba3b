"""What runs targets: build, train, convert, verify, inference."""
