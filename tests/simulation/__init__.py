"""Tests of the simulator: it repeats itself, and its judges fail when they should."""
