"""Talking to a container engine; the only package that imports ``docker``."""
