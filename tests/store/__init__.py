"""Tests of `pyshare.store`."""
