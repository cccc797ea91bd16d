"""The checks, one module for each theme; `Conformance` has them all."""
