"""How much history is kept, and whether what should be there is."""
