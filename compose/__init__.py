"""TimescaleDB, Redis and Apache Kafka for developers and CI: by Docker (docker-compose.yml) or without it (native)."""
