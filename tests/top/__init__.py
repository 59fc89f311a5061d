"""Tests of `pyshare.top`."""
