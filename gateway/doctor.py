"""What is wrong with this gateway and what to do about it: findings from its status and its machine.

Pure: it judges plain values that the command gathered. Each finding is for a technician on site.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

_DISK_LOW = 0.10
_QUEUE_OLD_MS = 10 * 60 * 1000
_HOT_C = 80.0
_POOR_BUS = 0.02


_LEARNED = {
    "devices": "Records get the time that the devices' clocks show, and are marked corrected; no command is taken.",
    "uplink": "Records get the time of the level above, and are marked corrected; no command is taken.",
}


class Finding(msgspec.Struct, frozen=True):
    """One trouble: what is seen, why it matters or where it comes from, what to do."""

    what: str
    why: str
    do: str


def examine(status: dict[str, Any] | None, machine: dict[str, Any], now_ms: int) -> list[Finding]:
    """All findings, gravest first. `status` is a running gateway's status, None when none runs;
    `machine` is `gateway.health.measure`."""
    findings = list(_machine(machine, status["gateway"].get("clock_source") if status else None))
    if status is None:
        not_running = Finding(
            "No gateway runs on this data folder.",
            "Nothing is read and nothing is sent; what was accepted earlier is kept.",
            "Start it: `systemctl start gewu`, or `gewu run --config gewu.toml` to see why it does not start.",
        )
        return [not_running, *findings]
    for bus in status["buses"]:
        findings += _bus(bus)
    for uplink in status["uplinks"]:
        findings += _uplink(uplink)
    for sink in status.get("sinks", ()):
        findings += _sink(sink)
    findings += _store(status["store"], status.get("queues", {}), now_ms)
    findings += _outbox(status.get("outbox"))
    findings += _backup(status.get("backup"))
    findings += [
        Finding(
            notice + ".",
            "It is configured but does nothing yet.",
            "Remove it, or wait for the version that brings it.",
        )
        for notice in status["gateway"]["notices"]
    ]
    return findings


def misconfigured(sentences: str) -> list[Finding]:
    """A finding for each line that the configuration was refused with."""
    return [
        Finding(
            sentence,
            "A gateway does not start with a wrong configuration.",
            "Correct it, and see with `gewu check --config gewu.toml` that it is right.",
        )
        for sentence in sentences.splitlines()
    ]


def _machine(machine: dict[str, Any], learned: str | None) -> Iterator[Finding]:
    disk = machine["disk"]
    if disk["free"] < disk["total"] * _DISK_LOW:
        yield Finding(
            f"The disk is nearly full: {disk['free'] // 10**6} MB of {disk['total'] // 10**6} MB are free.",
            "A full disk stops the gateway from accepting readings; events are kept in memory until it recovers.",
            "Delete what does not belong there, or lower store.max_bytes.",
        )
    if machine["clock"] == "untrusted":
        yield Finding(
            "The clock has not been set since power came.",
            _LEARNED.get(learned or "", "Records are marked untrusted until it is."),
            "Check that the machine reaches a time server: `timedatectl status`.",
        )
    if machine["under_voltage"]:
        yield Finding(
            "The supply voltage has sagged.",
            "A Raspberry Pi on a weak supply corrupts its card.",
            "Use the maker's power supply and a short cable.",
        )
    if machine["temperature"] is not None and machine["temperature"] > _HOT_C:
        yield Finding(
            f"The processor is at {machine['temperature']:.0f} °C.",
            "Above 80 °C it slows down.",
            "Give the cabinet air, or move it out of the sun.",
        )


def _bus(bus: dict[str, Any]) -> Iterator[Finding]:
    if bus["trouble"]:
        yield Finding(
            f"Bus {bus['name']}: {bus['trouble']}",
            "No device on this bus is read; the other buses go on.",
            "Check the adapter and its cable: `ls -l /dev/serial/by-id`.",
        )
        return
    lost = [device for device in bus["devices"] if device["online"] is False]
    if lost and len(lost) == len(bus["devices"]) and not any(device["mismatched"] for device in lost):
        yield Finding(
            f"Bus {bus['name']}: none of its {len(lost)} devices answers.",
            "All at once points to the pair itself: A and B swapped, wrong baud or parity, or no power.",
            "Swap A and B, compare the baud with a device's setting, measure the supply.",
        )
    else:
        for device in lost:
            yield _lost(bus["name"], device)
    errors = sum(bus["errors"].values())
    if not lost and bus["polls"] > 100 and errors > bus["polls"] * _POOR_BUS:
        yield Finding(
            f"Bus {bus['name']}: {errors} of {bus['polls']} polls failed.",
            "Noise or reflections on the pair cost time and delay alarms.",
            "Check the termination at both ends, the bias, and that the shield is earthed at one end.",
        )


def _lost(bus: str, device: dict[str, Any]) -> Finding:
    called = f"Device {device['id']} (bus {bus}, address {device['address']})"
    if device["mismatched"]:
        return Finding(
            f"{called} is something else.",
            device["trouble"],
            "Correct its profile or address, or find the second device with this address: `gewu bus scan`.",
        )
    return Finding(
        f"{called} does not answer.",
        "The others on its bus do, so the pair works up to them.",
        "Check its supply, its address and its clamp; its upstream protection may be open.",
    )


def _uplink(uplink: dict[str, Any]) -> Iterator[Finding]:
    if not uplink["connected"]:
        yield Finding(
            f"Uplink {uplink['name']}: {uplink['trouble'] or 'not connected yet'}",
            "Records wait in the outbox; nothing is lost.",
            "Check the network, the URL and the credentials of this uplink.",
        )


def _sink(sink: dict[str, Any]) -> Iterator[Finding]:
    if sink["trouble"]:
        yield Finding(
            str(sink["trouble"]),
            "Nothing is lost: what it should have waits in the outbox.",
            f"Correct what it names; see sink {sink['name']!r} in the configuration.",
        )
    if sink["set_aside"]:
        yield Finding(
            f"Sink {sink['name']}: {sink['set_aside']} messages were set aside, because the other side refuses them.",
            "They are announced as gaps there, and stay in the outbox's other uplinks.",
            "Read the reason in the log, and mend the receiver.",
        )


def _store(store: dict[str, Any], queues: dict[str, Any], now_ms: int) -> Iterator[Finding]:
    if store["oldest"] is not None and now_ms - store["oldest"] > _QUEUE_OLD_MS:
        minutes = (now_ms - store["oldest"]) // 60_000
        behind = [name for name, waits in queues.items() if now_ms - (waits["oldest"] or now_ms) > _QUEUE_OLD_MS]
        whom = f" to {', '.join(behind)}" if behind else ""
        yield Finding(
            f"{store['queued']} records wait to be sent{whom}, the oldest for {minutes} minutes.",
            "The uplink is away or too slow, or nobody acknowledges.",
            "Look at the uplink findings; with acks = true check that a receiver such as `gewu receive` runs.",
        )
    if store["dropped"]:
        yield Finding(
            f"{store['dropped']} records were dropped.",
            "The store was full; each drop was announced to the receiver.",
            "Raise store.max_bytes or shorten the outage.",
        )


def _outbox(outbox: dict[str, Any] | None) -> Iterator[Finding]:
    if outbox is not None and outbox["trouble"]:
        yield Finding(
            str(outbox["trouble"]),
            "Events wait at their devices and readings in memory, of which the oldest go when it is full.",
            "Look at the disk: `dmesg | tail`, `df -h`. It recovers without a restart once the disk does.",
        )


def _backup(backup: dict[str, Any] | None) -> Iterator[Finding]:
    if backup is not None and backup["trouble"]:
        last = f"The last one is from {backup['last']}." if backup["last"] else "There is none yet."
        yield Finding(
            f"The backup to {backup['to']} fails: {backup['trouble']}",
            last,
            "Do what it says, then see with `gewu backup` that it works.",
        )
