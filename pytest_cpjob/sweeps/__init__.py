"""Sweeps: a test run again with other jobs, faults, starts, orders and retries."""
