"""Tests of the whole server: real sockets, real programs."""
