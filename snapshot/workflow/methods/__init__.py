"""The ways to make an image of a container: one file each, all with the same interface."""
