"""The clock of the fault harness, where the gateway's tests look for it."""

from hil_tests.faults.clock import FakeClock

__all__ = ["FakeClock"]
