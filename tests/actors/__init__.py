"""Tests of `pyshare.actors`."""
