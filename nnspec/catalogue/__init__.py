"""What the language can name: ops, initialisers, optimizers, data sets."""
