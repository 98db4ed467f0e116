"""Steps of a container, as they were done, and sessions recorded at a terminal."""
