"""The model of a device profile (a TOML file a device model). It holds facts and never talks to a device.

Limits are those of the Modbus application protocol specification V1.1b3: addresses 0 to 65535, at most
125 registers (6.3) and 2000 bits (6.1) a request.
"""

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from gateway.tomlfile import NAME_PATTERN, Section

Kind = Literal["coil", "discrete", "holding", "input"]
Type = Literal["bool", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "string", "bits"]
Poll = Literal["alarm", "fast", "normal", "slow", "once", "never"]
Order = Literal["big", "little"]

MOST_REGISTERS = 125
MOST_BITS = 2000
BIT_KINDS = ("coil", "discrete")
WORDS: dict[str, int] = {
    "bool": 1, "u16": 1, "i16": 1, "bits": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4,
}  # fmt: skip

Name = Annotated[str, Field(pattern=NAME_PATTERN, description='letters, digits, "_", "." and "-", such as trip_count')]


class Head(Section):
    """The `[profile]` table."""

    name: str = Field(
        pattern=NAME_PATTERN,
        description="the profile's name, in letters, digits, '_', '.' and '-', as a device of gewu.toml says it",
    )
    vendor: str = Field("", description="who makes the device")
    model: str = Field("", description="the maker's name for the device")
    max_registers: int = Field(
        MOST_REGISTERS, ge=1, le=MOST_REGISTERS, description="the most registers that one request may read, 1 to 125"
    )
    gap: bool = Field(True, description="whether undefined registers between defined ones may be read through")
    identity: "Identity | None" = Field(None, description="how one knows such a device")


class Identity(Section):
    """The `[profile.identity]` table: device identification objects (2B/0E), or a register and its value."""

    object0: str | None = Field(None, description="device identification object 0, the vendor's name")
    object1: str | None = Field(None, description="device identification object 1, the product code")
    object2: str | None = Field(None, description="device identification object 2, the revision")
    register_name: str | None = Field(
        None, alias="register", description="the name of a register that tells the model, with its value in `value`"
    )
    value: int | float | bool | str | None = Field(None, description="what that register holds in such a device")

    @property
    def objects(self) -> dict[int, str]:
        """Identification objects by number that such a device answers with."""
        wanted = enumerate((self.object0, self.object1, self.object2))
        return {number: text for number, text in wanted if text is not None}


class Register(Section):
    """One `[[register]]` table: value = raw * scale + offset."""

    name: Name = Field(description="the value's name, in letters, digits, '_', '.' and '-', such as trip_count")
    kind: Kind = Field(description='"coil", "discrete", "holding" or "input"')
    address: int = Field(ge=0, le=65535, description="the zero-based address as on the wire, 0 to 65535")
    type: Type = Field(
        description="how the raw bits are read: bool, u16, i16, u32, i32, u64, i64, f32, f64, string, bits"
    )
    length: int | None = Field(
        None, ge=1, le=MOST_REGISTERS, description="the number of registers of a string, 1 to 125"
    )
    bits: list[Annotated[tuple[int, Name], Field(strict=False)]] = Field(
        [], description='pairs such as [0, "overload"]: the bit (0 is the lowest) and the name of its boolean value'
    )
    word_order: Order = Field("big", description='which register of a number comes first: "big" or "little"')
    byte_order: Order = Field("big", description='which byte of a register comes first: "big" or "little"')
    scale: float = Field(1.0, allow_inf_nan=False, description="the factor from raw to value")
    offset: float = Field(0.0, allow_inf_nan=False, description="what is added after scaling")
    unit: str = Field("", description="the unit of the value, such as V")
    poll: Poll = Field("normal", description="how often it is read: alarm, fast, normal, slow, once or never")
    deadband: float = Field(0.0, ge=0, allow_inf_nan=False, description="changes smaller than this are not sent")
    at_least: float = Field(300, gt=0, allow_inf_nan=False, description="seconds after which it is sent all the same")
    access: Literal["r", "rw", "w"] = Field("r", description='"r", "rw" or "w"')
    valid: tuple[float, float] | None = Field(
        None, strict=False, description="the lowest and highest possible value; outside it is kept and marked bad"
    )

    age: Name | None = Field(
        None, description="the value that holds the milliseconds since this one was measured; above 5000 it is stale"
    )
    absent: int | None = Field(
        None, description="the raw number that says there is no such value on this device; it is then left out"
    )
    counter: Name | None = Field(
        None, description="the value that counts its measurements; when that stands still for 5 s, this one is stale"
    )
    stuck_after: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="seconds; unchanged (and not 0) for so long while others move, it is stale",
    )

    @cached_property
    def size(self) -> int:
        """Registers it takes on the wire; 1 for a coil or a discrete input."""
        if self.kind in BIT_KINDS:
            return 1
        return (self.length or 1) if self.type == "string" else WORDS[self.type]

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.size

    @property
    def readable(self) -> bool:
        return self.access != "w"

    @cached_property
    def value_names(self) -> tuple[str, ...]:
        """The values it gives: its own name, or those of its bits."""
        return tuple(name for _, name in self.bits) if self.type == "bits" else (self.name,)


class EventRule(Section):
    """One `[[event]]` table: while the value `when` equals `equals`, the event is raised.

    Without `when`, every step of `counter` is an event, raised and cleared at once.
    """

    kind: str = Field(
        pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$", description="the kind of event, such as trip.overcurrent"
    )
    when: Name | None = Field(None, description="the name of the value that decides; without it, `counter` does")
    equals: bool | int | float | str = Field(True, description="what that value is while the event lasts")
    grade: int = Field(ge=1, le=4, description="how grave it is: 1 (red) to 4 (blue)")
    age: str | None = Field(None, description="the value that holds the milliseconds since it happened")
    counter: str | None = Field(None, description="the value that counts such events and tells repeats apart")
    values: list[str] = Field([], description="the values that travel with the event")


class Journal(Section):
    """The `[journal]` table: a ring of events that function 14h reads."""

    file: int = Field(ge=1, le=65535, description="the number of the file, 1 to 65535")
    entries: int = Field(ge=1, le=10_000, description="how many entries the ring has")
    words: int = Field(ge=1, le=121, description="the number of registers of an entry")
    first: Name = Field(description="the value that holds the number of the oldest entry")
    next: Name = Field(description="the value that holds the number that the next entry will have")


class Mailbox(Section):
    """The `[mailbox]` table: where command frames and the blocks of an update are written."""

    command_register: int = Field(ge=0, le=65535, description="the holding register of a command frame")
    command_file: int = Field(ge=1, le=65535, description="the file of a command frame, 1 to 65535")
    block_register: int = Field(ge=0, le=65535, description="the holding register of the first block of a bundle")
    block_file: int = Field(ge=1, le=65535, description="the file of the first block of a bundle, 1 to 65535")
    block_words: int = Field(ge=1, le=121, description="the number of registers of a block")
    bitmap_file: int = Field(ge=1, le=65535, description="the file with the bitmap of missing blocks, 1 to 65535")


class Profile(Section):
    """One device model: the whole file."""

    head: Head = Field(alias="profile", description="the table [profile] with the profile's name")
    registers: list[Register] = Field([], alias="register", description="the registers")
    events: list[EventRule] = Field([], alias="event", description="what becomes an event")
    journal: Journal | None = Field(None, description="the device's own journal")
    mailbox: Mailbox | None = Field(None, description="where commands and updates go")

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def identity(self) -> Identity | None:
        return self.head.identity

    @cached_property
    def by_value(self) -> dict[str, Register]:
        """The register behind each value's name."""
        return {name: register for register in self.registers for name in register.value_names}
