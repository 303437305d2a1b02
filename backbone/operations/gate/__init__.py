"""The trade gate: whether data may be traded on."""
