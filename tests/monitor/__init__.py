"""The live page, looked at with a real browser."""
