"""Packages that are installed in an image, as their managers keep them in files."""
