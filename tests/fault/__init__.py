"""The seeded fault harness on real Kafka, with an oracle of its own. `python -m tests.fault --help`."""
