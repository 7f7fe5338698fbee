"""The Faust shell: batching transport, partition transactions, state, recovery, clock, agents and metrics."""
