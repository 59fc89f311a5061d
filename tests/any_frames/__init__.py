"""Any frames by any clients at two instances: no channel fails, and the calm clients end with one text."""
