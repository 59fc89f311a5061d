"""Where log and text live, and how instances hear of each other."""
