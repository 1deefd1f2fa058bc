"""Days of a gateway in minutes: real poller, rules, outbox and uplink on a clock that jumps, with fault after fault."""
