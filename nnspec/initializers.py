"""How weights begin: each initialiser is a value of the language (`normal(0.02)`, `glorot_uniform`)."""
