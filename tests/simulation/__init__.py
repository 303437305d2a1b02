"""A whole embedded backbone on the virtual clock, with seeded faults, against a plain model."""
