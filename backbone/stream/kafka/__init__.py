"""The stream of several processes: topics of Apache Kafka, one for each dimension."""
