"""Signal propagation in deep random networks: forward and backward statistics, and their theory."""
