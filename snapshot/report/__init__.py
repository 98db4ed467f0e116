"""One page about an image or a container: what it tells, and how that is written down."""
