"""What tests share: builders, hostile payloads, and real services started for a test session."""
