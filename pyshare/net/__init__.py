"""Sockets: the listener, connections, outlets and who may join."""
