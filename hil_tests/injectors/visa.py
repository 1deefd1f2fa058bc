"""An instrument that speaks SCPI, through pyvisa with its Python backend: one line out, one line back.

It knows no command. Its errors are sentences; whether current flows is its user's care.
"""

from importlib.util import find_spec
from typing import Any, Protocol

from gateway.errors import ConfigurationError
from hil_tests.injectors.injector import InstrumentTrouble

_TIMEOUT_MS = 2000


class Instrument(Protocol):
    """Lines of text. Both raise InstrumentTrouble when it is gone or does not answer."""

    def write(self, command: str) -> None: ...

    def query(self, command: str) -> str: ...

    def reopen(self) -> None:
        """The connection anew, after one was lost."""
        ...

    def close(self) -> None: ...


class VisaInstrument:
    """The instrument at a VISA resource such as "TCPIP::10.0.0.5::30000::SOCKET" or "ASRL/dev/ttyUSB0::INSTR"."""

    def __init__(self, resource: str) -> None:
        if find_spec("pyvisa") is None or find_spec("pyvisa_py") is None:
            raise ConfigurationError("An instrument that speaks SCPI needs pyvisa: pip install 'gewu-edge[hil]'.")
        import pyvisa

        self._resource = resource
        self._errors = (pyvisa.Error, OSError, ValueError)
        self._manager = pyvisa.ResourceManager("@py")
        self._session: Any = None
        try:
            self.reopen()
        except InstrumentTrouble:
            self._manager.close()
            raise

    def reopen(self) -> None:
        self._end_session()
        try:
            self._session = self._manager.open_resource(
                self._resource, read_termination="\n", write_termination="\n", timeout=_TIMEOUT_MS
            )
        except self._errors as error:
            raise InstrumentTrouble(
                f"No instrument can be reached at {self._resource} ({_words(error)}): look at its power, its cable, "
                "and the address in its menu."
            ) from error

    def write(self, command: str) -> None:
        try:
            self._session.write(command)
        except self._errors as error:
            raise self._lost(command, error) from error

    def query(self, command: str) -> str:
        try:
            return str(self._session.query(command)).strip()
        except self._errors as error:
            raise self._lost(command, error) from error

    def close(self) -> None:
        self._end_session()
        self._manager.close()

    def _end_session(self) -> None:
        if self._session is not None:
            try:
                self._session.close()
            except self._errors:
                pass  # it is gone already
            self._session = None

    def _lost(self, command: str, error: Exception) -> InstrumentTrouble:
        return InstrumentTrouble(
            f"The instrument at {self._resource} did not answer to {command} ({_words(error)}): look at "
            "its power, its cable, and the address in its menu."
        )


def _words(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
