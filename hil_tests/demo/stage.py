"""Who lives in the demo's village: two buses, eight breakers, two sensors, and the gateway's configuration for them."""

from pathlib import Path
from typing import Any, NamedTuple


class Board(NamedTuple):
    """One virtual board: `rating` in A, `load` its mean current in A."""

    id: str
    profile: str
    address: int
    rating: int
    load: float
    place: str


class Bus(NamedTuple):
    """One RS-485 pair, 8N1."""

    name: str
    baud: int
    boards: tuple[Board, ...]


_STREET = "Qingxi/Heping/grid 3"
BUSES = (
    Bus(
        "north",
        9600,
        (
            Board("b0101", "gewu-breaker", 1, 16, 6.0, f"{_STREET}/house 1/unit 1"),
            Board("b0102", "gewu-breaker", 2, 16, 3.5, f"{_STREET}/house 1/unit 2"),
            Board("b0103", "gewu-breaker", 3, 20, 8.0, f"{_STREET}/house 1/unit 3"),
            Board("b0104", "gewu-breaker", 4, 32, 12.0, f"{_STREET}/house 1/lift"),
            Board("s0101", "gewu-sensor", 5, 63, 28.0, f"{_STREET}/house 1/main"),
        ),
    ),
    Bus(
        "south",
        115200,
        (
            Board("b0201", "gewu-breaker", 1, 16, 5.0, f"{_STREET}/house 2/unit 1"),
            Board("b0202", "gewu-breaker", 2, 16, 2.0, f"{_STREET}/house 2/unit 2"),
            Board("b0203", "gewu-breaker", 3, 25, 9.0, f"{_STREET}/house 2/workshop"),
            Board("b0204", "gewu-breaker", 4, 10, 1.5, f"{_STREET}/house 2/stairs"),
            Board("s0201", "gewu-sensor", 5, 63, 18.0, f"{_STREET}/house 2/main"),
        ),
    ),
)
BOARDS = tuple(board for bus in BUSES for board in bus.boards)


def _toml(value: str | float) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _table(name: str, /, **values: str | float) -> str:
    return f"[[{name}]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items()) + "\n"


def site_toml() -> str:
    """The village's site file."""
    text = ""
    for bus in BUSES:
        text += _table("bus", name=bus.name, baud=bus.baud)
        for board in bus.boards:
            text += _table(
                "bus.board",
                id=board.id,
                profile=board.profile,
                address=board.address,
                rating=board.rating,
                curve="C",
                load=board.load,
            )
    return text


def gateway_toml(village: dict[str, Any], broker_url: str, data_dir: Path, camera: str = "") -> str:
    """The gateway's configuration for the running village (what `gewu rig up` printed), with `camera`'s table."""
    ports = {bus["name"]: bus["port"] for bus in village["buses"]}
    text = f'[gateway]\nid = "qingxi-01"\nsite = "qingxi"\ndata_dir = "{data_dir}"\n\n'
    for bus in BUSES:
        text += _table("bus", name=bus.name, port=ports[bus.name], baud=bus.baud)
        for board in bus.boards:
            text += _table("bus.device", id=board.id, profile=board.profile, address=board.address, place=board.place)
    text += camera
    # acks: records stay until the receiver has them, so that a broker that forgets costs nothing.
    return text + f'[[uplink]]\nname = "county"\nurl = "{broker_url}"\nmax_delay = 1.0\nacks = true\n'
