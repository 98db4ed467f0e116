"""What can be a side of a comparison: images and containers of an engine, images in archives."""
