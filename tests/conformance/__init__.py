"""The conformance kit, held against our own plugins and their real servers."""
