"""An IT8600 as it looks from the LAN: a SCPI parser at a TCP port, a breaker and a supply before it.

It knows the commands that the driver uses in their long and short forms, keeps an error queue, has limits of its own,
and can be made to answer slowly, wrongly or not at all.
"""

import re
import socketserver
import threading
import time
from collections import deque

MOST_A = 40.0
SUPPLY_V = 230.0
_ERRORS = {-113: "Undefined header", -222: "Data out of range"}


class SimulatedLoad:
    """`with SimulatedLoad() as load:` at `load.resource`. `trips_after`: s of current until the breaker opens."""

    def __init__(self) -> None:
        self.closed = True
        self.on = False
        self.amps = 0.0
        self.trips_after: float | None = None
        self.idn = "ITECH Ltd., IT8615, 800001020767210042, 1.17"
        self.answers: dict[str, str] = {}  # in place of its own
        self.delay_s = 0.0
        self.drops_at: str | None = None  # ends the connection when it hears this
        self.heard: list[str] = []
        self.connections = 0
        self._errors: deque[str] = deque()
        self._began = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> "SimulatedLoad":
        load = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                load.connections += 1
                for line in self.rfile:
                    command = line.decode("ascii").strip()
                    if load.drops_at is not None and command.startswith(load.drops_at):
                        load.drops_at = None
                        return
                    answer = load.take(command)
                    if answer is not None:
                        time.sleep(load.delay_s)
                        self.wfile.write(answer.encode("ascii") + b"\n")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def resource(self) -> str:
        return f"TCPIP::127.0.0.1::{self.port}::SOCKET"

    def take(self, line: str) -> str | None:
        """One line; the answer when it is a query."""
        with self._lock:
            self.heard.append(line)
            header, _, parameter = line.strip().partition(" ")
            short = _short(header)
            if short in self.answers:
                return self.answers[short]
            if header.endswith("?"):
                return self._query(short, parameter)
            self._command(short, parameter)
            return None

    def _query(self, header: str, parameter: str) -> str:
        self._pass()
        flows = self.on and self.closed
        match header:
            case "*IDN?":
                return self.idn
            case "SYST:ERR?":
                return self._errors.popleft() if self._errors else '0,"No error"'
            case "CURR?":
                return f"{MOST_A if parameter.startswith('MAX') else self.amps:.4f}"
            case "INP:STAT?" | "INP?":
                return str(int(self.on))
            case "MEAS:CURR:RMS?":
                return f"{self.amps if flows else 0.003:.5f}"
            case "MEAS:VOLT:RMS?":
                return f"{SUPPLY_V if self.closed else 0.8:.3f}"
            case "MEAS:POW?":
                return f"{self.amps * SUPPLY_V if flows else 0.0:.2f}"
            case "MEAS:FREQ?":
                return "50.01"
        self._error(-113)
        return ""

    def _command(self, header: str, parameter: str) -> None:
        match header:
            case "*CLS":
                self._errors.clear()
            case "SYST:REM" | "SYST:LOC" | "SYST:MODE" | "FUNC":
                pass
            case "CURR":
                if not 0 <= float(parameter) <= MOST_A:
                    self._error(-222)
                else:
                    self.amps = float(parameter)
            case "INP:STAT" | "INP":
                self.on = parameter in ("ON", "1")
                self._began = time.monotonic()
            case _:
                self._error(-113)

    def _pass(self) -> None:
        after = self.trips_after
        if self.on and self.closed and after is not None and time.monotonic() - self._began >= after:
            self.closed = False

    def _error(self, number: int) -> None:
        self._errors.append(f'{number},"{_ERRORS[number]}"')


def _short(header: str) -> str:
    """MEASure:CURRent:RMS? as MEAS:CURR:RMS?, without the optional SOURce."""
    words = header.lstrip(":").split(":")
    short = [re.sub(r"[a-z]", "", word) if not word.isupper() else word for word in words]
    return ":".join(word for word in short if word not in ("SOUR", "SOURCE"))
