"""TimescaleDB, Redis and Apache Kafka for developers and CI: by Docker (compose/docker-compose.yml) or without it."""
