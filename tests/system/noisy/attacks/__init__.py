"""The list of attacks; a new module of them is imported here."""

from tests.system.noisy.attacks import crowds, frames, logs, requests, sockets

__all__ = ["crowds", "frames", "logs", "requests", "sockets"]
