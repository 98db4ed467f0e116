"""Images: edits of a config, the instructions of ``--change``, names, records and archives."""
