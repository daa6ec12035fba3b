"""The typed graph, its weights, training programs, and passes over them."""
