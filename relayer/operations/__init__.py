"""What an operator sees of a relayer: metrics, health, alerts."""
