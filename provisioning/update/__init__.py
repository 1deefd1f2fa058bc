"""Updates of a running site: a signed file, carried out in stages that can be resumed and undone, with a record."""
