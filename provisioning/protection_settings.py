"""The settings of a breaker's protection as provisioning checks them: the object `protection` of a board's settings.

The board checks them once more in firmware/protection_settings.py; a test compares the two. It talks to no board.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_serializer


class ProtectionSettings(BaseModel):
    """What is left out has the board's default; 0 is "off" where it is allowed. Only what was given is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    capacity: int = Field(default=6000, ge=20, le=25_000, description="breaking capacity of the actuator, A")
    nominal_voltage: int = Field(default=230, ge=100, le=400, description="Un, V")
    overload_alarm: Annotated[int, Field(ge=100, le=144)] | Literal[0] = 113
    overvoltage_trip: Literal[0, 1] = 1
    overvoltage_alarm: Annotated[int, Field(ge=200, le=440)] | Literal[0] = 253
    undervoltage_trip: Annotated[int, Field(ge=36, le=69)] | Literal[0] = 0
    undervoltage_alarm: Annotated[int, Field(ge=50, le=95)] | Literal[0] = 80
    residual: Annotated[int, Field(ge=6, le=1000)] | Literal[0] = 0
    residual_type: Literal["G", "S"] = "G"
    residual_alarm: Annotated[int, Field(ge=20, le=1000)] | Literal[0] = 0
    temperature_trip: Annotated[int, Field(ge=60, le=140)] | Literal[0] = 0
    temperature_alarm: Annotated[int, Field(ge=45, le=140)] | Literal[0] = 90
    arc_trip: Literal[0, 1] = 0
    reclose_wait: Annotated[int, Field(ge=1, le=3600)] | Literal[0] = 60
    reclose_count: int = Field(default=3, ge=1, le=20, description="closings in the window")
    reclose_window: int = Field(default=3600, ge=60, le=86_400, description="s")

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("give a number: 0 is off, 1 is on")
        return value

    @model_serializer
    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}
