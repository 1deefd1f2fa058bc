"""The embedded broker of the demo: amqtt in a process of its own, so that it can be killed like a real one.

`python -m hil_tests.amqtt_broker --port P` serves MQTT 3.1.1 on loopback until it is ended. It keeps
nothing: what it had not passed on is gone with it.
"""

import argparse
import asyncio
import logging
import signal
import warnings


async def _serve(port: int) -> None:
    # Imported here: amqtt warns while it is imported, and only inside this process is that silenced.
    from amqtt.broker import Broker

    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    broker = Broker(config)
    await broker.start()
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    """Serve on the port of the command line until SIGTERM."""
    parser = argparse.ArgumentParser(description="amqtt on loopback")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    asyncio.run(_serve(port))


if __name__ == "__main__":
    main()
