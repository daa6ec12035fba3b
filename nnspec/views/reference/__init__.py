"""The reference of the catalogue, generated from its declarations: in the terminal and under `docs/catalogue`."""
