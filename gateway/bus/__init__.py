"""One serial bus: what a request costs (wire), which requests to make (planner), what to do next (schedule),
the line itself (port, transport), and the thread that serves it (poller). It knows no outbox and no uplink."""
