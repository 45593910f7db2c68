"""The commands, a room for each family; `flows/__main__.py` puts them together."""
