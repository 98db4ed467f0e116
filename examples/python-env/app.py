"""Greets, with two packages that somebody else wrote."""

from greeting import greet
from shouting import shout

print(shout(greet("world")))
