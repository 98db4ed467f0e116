"""From "what changed" to the file manifest: order, engine's own paths, reading and hashing files."""
