"""The benchmarks, and the real Kafka that they and the tests start."""
