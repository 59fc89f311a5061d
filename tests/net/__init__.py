"""Tests of `pyshare.net`."""
