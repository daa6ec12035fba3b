"""For all tests: how often Python looks for cycles."""

import gc

# Collecting holds some 12,000 tests and what they are parametrised with for the whole run. Walked at the default
# pace, they take a seventh of the time.
gc.set_threshold(50_000, 20, 100)
