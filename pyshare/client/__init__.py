"""The Python client, for bots, graders and tests."""
