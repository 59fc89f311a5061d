"""pyshare: the real-time server behind a shared code editor."""

__version__ = "0.1.0"
