"""What changes over time: events, and snapshots that are compared."""
