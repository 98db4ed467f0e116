"""Recipes: the instructions of a patch, as values, as words, as TOML; and what their results are known by."""
