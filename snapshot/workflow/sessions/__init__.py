"""A process in a container and who sits before it: what they are connected by, and recordings of it."""
