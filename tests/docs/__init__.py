"""The documentation: its code blocks, its map, its picture."""
