"""Writing images out: as a Dockerfile, as an OCI image layout, as a difference, which is read again too."""
