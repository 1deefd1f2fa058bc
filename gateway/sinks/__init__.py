"""Local takers of the records beside MQTT: a webhook, files by day. Each has its own cursor in the outbox."""

from gateway.sinks.sink import Sink, sink_of
from gateway.sinks.status import SinkStatus

__all__ = ["Sink", "SinkStatus", "sink_of"]
