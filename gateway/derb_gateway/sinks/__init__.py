"""Ways to the city: one file each, behind one small protocol."""
