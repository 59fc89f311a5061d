"""Tests of `pyshare.core`."""
