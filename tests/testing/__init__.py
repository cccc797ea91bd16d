"""The broker in memory and the conformance kit: what they promise to who writes a plugin."""
