"""Measurements of a running server; nothing here is asserted."""
