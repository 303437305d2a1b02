"""Whether the parts answer, and what is wrong with them."""
