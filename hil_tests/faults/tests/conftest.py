"""The faults' own fixtures, for their tests."""

from hil_tests.faults.fixtures import sick_disk, sick_network, stepped_clock

__all__ = ["sick_disk", "sick_network", "stepped_clock"]
