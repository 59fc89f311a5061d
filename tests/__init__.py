"""Tests of pyshare: the folders mirror those of the package, and `system` holds what needs real sockets."""
