"""Where data comes from: providers that yield frames, chunk by chunk."""
