"""What ``snap cp`` is made of: the rules for paths, tars on their way in, files on their way out."""
