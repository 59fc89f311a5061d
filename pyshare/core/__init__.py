"""Values and rules: no trio, no I/O, no clock, no randomness."""
