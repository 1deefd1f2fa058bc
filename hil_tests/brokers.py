"""Real brokers as child processes on loopback, for the tests and the demo: start, stop, kill, back on one port.

mosquitto is the broker of the field; amqtt needs no installation. Neither keeps anything over a restart
unless `persistent` is asked of mosquitto, so a restart here is a broker that forgets. nats-server and RabbitMQ
keep what they confirmed.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol, Self

from gateway.errors import ConfigurationError, TryAgain

_STOP_S = 10.0
_PR_SET_PDEATHSIG = 1


class Broker(Protocol):
    """A broker that a test or the demo can take away and bring back."""

    @property
    def url(self) -> str:
        """mqtt://127.0.0.1:PORT, the same over every restart."""
        ...

    def start(self) -> None:
        """Start, and return when it accepts connections. Raises TryAgain when it does not in time."""
        ...

    def stop(self) -> None:
        """End it in order (SIGTERM)."""
        ...

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        ...

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        ...


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """In a child: ask Linux for this signal when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


class _Process:
    """A broker's child process: what mosquitto and amqtt have in common."""

    name = "broker"
    ready_s = 20.0

    def __init__(self, port: int) -> None:
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="gewu-broker-")
        self.folder = Path(self._folder.name)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str] | None:
        """Of its process; None: ours."""
        return None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=self.environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=end_with_parent,
                start_new_session=True,  # Ctrl-C is for whoever started it, and ends it last
            )
        deadline = time.monotonic() + self.ready_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.kill()
        tail = (self.folder / "log").read_text(errors="replace")[-500:].strip()
        raise TryAgain(f"The broker {self.name} did not come up on port {self.port}: {tail or 'it said nothing'}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Mosquitto(_Process):
    """Debian's mosquitto with a configuration of its own. `extra` adds lines to it."""

    name = "mosquitto"

    def __init__(self, port: int = 0, persistent: bool = False, extra: str = "", anonymous: bool = True) -> None:
        super().__init__(port)
        # As root mosquitto drops to its own user and could not write into this folder.
        user = "user root\n" if os.geteuid() == 0 else ""
        keep = f"persistence true\npersistence_location {self.folder}/\n" if persistent else "persistence false\n"
        (self.folder / "mosquitto.conf").write_text(
            f"{user}listener {self.port} 127.0.0.1\nallow_anonymous {str(anonymous).lower()}\n{keep}{extra}\n",
            encoding="utf-8",
        )

    def command(self) -> list[str]:
        program = _mosquitto()
        if program is None:
            raise ConfigurationError("mosquitto is not installed: type 'sudo apt-get install mosquitto'.")
        return [program, "-c", str(self.folder / "mosquitto.conf")]


class Nats(_Process):
    """Debian's nats-server: MQTT 3.1.1 over JetStream, which keeps what it has over a restart.

    It does not speak MQTT 5, and takes no topic with a dot in it.
    """

    name = "nats-server"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        (self.folder / "nats.conf").write_text(
            f"server_name: gewu\nhost: 127.0.0.1\nport: {free_port()}\n"
            f'jetstream {{ store_dir: "{self.folder}/store" }}\n'
            f'mqtt {{ host: 127.0.0.1, port: {self.port}, ack_wait: "2s" }}\n',
            encoding="utf-8",
        )

    def command(self) -> list[str]:
        return [_program("nats-server"), "-c", str(self.folder / "nats.conf")]


class RabbitMq(_Process):
    """Debian's RabbitMQ with its MQTT plugin, in folders of its own, without systemd and beside any other.

    Its port mapper (epmd) is a child of ours too, on a port of its own: RabbitMQ would leave a daemon behind.
    """

    name = "rabbitmq-server"
    ready_s = 120.0  # an Erlang machine with forty applications: 5 s on an idle core, and often there is none

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._mapper_port = free_port()
        self._node_port = free_port()
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{free_port()}\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "mqtt.allow_anonymous = true\nlog.console = true\n",
            encoding="utf-8",
        )
        (self.folder / "plugins").write_text("[rabbitmq_mqtt].\n", encoding="ascii")

    def command(self) -> list[str]:
        _program("rabbitmq-server")  # Debian's wrapper; it would change the user and the folders
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "HOME": str(self.folder),  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"gewu{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            # The machine itself in place of the script, so that our signals reach it.
            "RABBITMQ_ALLOW_INPUT": "true",
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
        }

    def start(self) -> None:
        if self._mapper is None:
            self._mapper = subprocess.Popen(
                [_program("epmd"), "-port", str(self._mapper_port), "-address", "127.0.0.1"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL,
                preexec_fn=end_with_parent,
                start_new_session=True,
            )
        super().start()

    def close(self) -> None:
        super().close()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None


class Amqtt(_Process):
    """amqtt, pure Python, MQTT 3.1.1."""

    name = "amqtt"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "hil_tests.amqtt_broker", "--port", str(self.port)]


def _mosquitto() -> str | None:
    # Debian installs it in /usr/sbin, which is not on every user's PATH.
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ConfigurationError(f"{name} is not installed: type 'sudo apt-get install {name}'.")
    return found


def best(port: int = 0) -> Mosquitto | Amqtt:
    """mosquitto where it is installed, else amqtt."""
    return Mosquitto(port) if _mosquitto() else Amqtt(port)
