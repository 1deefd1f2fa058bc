"""Tests of the whole path: real firmware, real gateway process, real broker."""
