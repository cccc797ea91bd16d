"""Input that strangers and accidents make: each must end in a value or in a sentence."""
