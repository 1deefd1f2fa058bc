"""`gewu decode`: one raw MQTT payload on stdin as JSON, recognised by its bytes."""

import sys

from gateway.cli.output import JsonFlag, print_json
from gateway.errors import GewuError

_MOST_BYTES = 16 * 1024 * 1024


def decode(json_output: JsonFlag = False) -> None:
    """Read one payload of the native format from stdin and print it as JSON (with and without --json)."""
    from gateway.uplink.native import decode as decode_payload

    payload = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(payload) > _MOST_BYTES:
        raise GewuError(f"Standard input holds more than {_MOST_BYTES} bytes: hand in one payload.")
    if not payload:
        raise GewuError("Standard input is empty: hand in one payload (mosquitto_sub -C 1 -N ... | gewu decode).")
    try:
        print_json(decode_payload(payload))
    except ValueError as error:
        raise GewuError(f"The payload is not understood: {error}.") from error
