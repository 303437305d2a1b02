"""What is observed of a backbone: connectivity, rehearsals, validation. Reads everything, changes nothing by itself."""
