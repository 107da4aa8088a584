"""The trading plane: market data in, orders out; speaks telemetry, listens on control."""
