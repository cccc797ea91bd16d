"""Tests of what is published: wheels, versions, option tables."""
