"""What can go wrong, by what the caller can do about it. Each message is one sentence for a technician."""


class GewuError(Exception):
    """The root. `exit_status` is what a command ends with; the message says what, where and what to do."""

    exit_status = 1


class ConfigurationError(GewuError):
    """Refused before anything ran: a wrong argument, file, key or profile. Correct it and start again."""

    exit_status = 2


class TryAgain(GewuError):
    """A passing trouble (no answer, port gone, broker away): the same call may work later."""


class DeviceRefused(GewuError):
    """The device answered and said no (a Modbus exception): repeating the same request will not help."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class StoreError(GewuError):
    """The outbox cannot promise durability now (disk full, read error, newer schema): repair first."""
