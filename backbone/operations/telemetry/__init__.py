"""What a backbone tells of itself: typed events on `system.events`, and on topics of Kafka where that is the stream."""
