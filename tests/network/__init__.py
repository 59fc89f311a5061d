"""Bad networks for tests: slow, late, silent or cut lines between a client and its server, and daily work on them."""
