"""The supervisor, the channels it owns, and what each of their members has been sent."""
