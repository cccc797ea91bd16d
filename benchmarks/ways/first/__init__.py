"""Whole programs that confirm one event and say so: what somebody's short script would be."""
