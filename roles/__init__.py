"""The roles that a topology can name, one short file each, and the kit that they stand on."""
