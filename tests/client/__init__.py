"""Tests of `pyshare.client`."""
