"""The payload of Sparkplug B in Protocol Buffers, from metrics and into metrics. It knows no session and no topics.

The schema is built here from the field numbers of the specification (3.0.0, 6.4): nothing generated is shipped, and
only the fields that an edge node of ours uses are declared. It needs the package `protobuf`.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from gateway.errors import ConfigurationError
from gateway.records import Value

# Data types, specification 6.4.16. Int8 and Int16 are left out: peers disagree on how wide their two's complement is.
INT32, INT64, UINT16, UINT32, UINT64 = 3, 4, 6, 7, 8
FLOAT, DOUBLE, BOOLEAN, STRING = 9, 10, 11, 12
_FIELDS = {
    INT32: "int_value", UINT16: "int_value", UINT32: "int_value", INT64: "long_value", UINT64: "long_value",
    FLOAT: "float_value", DOUBLE: "double_value", BOOLEAN: "boolean_value", STRING: "string_value",
}  # fmt: skip
RANGES = {
    INT32: (-(2**31), 2**31 - 1), INT64: (-(2**63), 2**63 - 1),
    UINT16: (0, 2**16 - 1), UINT32: (0, 2**32 - 1), UINT64: (0, 2**64 - 1),
}  # fmt: skip
_UNSIGNED = {INT32: 2**32, INT64: 2**64}

# Specification 6.4: field name, number, type; a type that is a message here is written with its name.
_VALUES = (("float_value", "FLOAT"), ("double_value", "DOUBLE"), ("boolean_value", "BOOL"), ("string_value", "STRING"))
_SCHEMA: dict[str, list[tuple[str, int, str, bool]]] = {
    "PropertyValue": [
        ("type", 1, "UINT32", False), ("is_null", 2, "BOOL", False),
        ("int_value", 3, "UINT32", False), ("long_value", 4, "UINT64", False),
        *[(name, 5 + index, kind, False) for index, (name, kind) in enumerate(_VALUES)],
    ],
    "PropertySet": [("keys", 1, "STRING", True), ("values", 2, "PropertyValue", True)],
    "Metric": [
        ("name", 1, "STRING", False), ("alias", 2, "UINT64", False), ("timestamp", 3, "UINT64", False),
        ("datatype", 4, "UINT32", False), ("is_historical", 5, "BOOL", False), ("is_transient", 6, "BOOL", False),
        ("is_null", 7, "BOOL", False), ("properties", 9, "PropertySet", False),
        ("int_value", 10, "UINT32", False), ("long_value", 11, "UINT64", False),
        *[(name, 12 + index, kind, False) for index, (name, kind) in enumerate(_VALUES)],
    ],
    "Payload": [("timestamp", 1, "UINT64", False), ("metrics", 2, "Metric", True), ("seq", 3, "UINT64", False)],
}  # fmt: skip
_PACKAGE = "gewu.sparkplug"


class Metric(NamedTuple):
    """One value on its way: `name` in births, `alias` in data. `value` None is a null. `at` is Unix milliseconds."""

    name: str | None
    alias: int | None
    datatype: int
    value: Value | None
    at: int
    historical: bool = False
    transient: bool = False
    properties: Mapping[str, tuple[int, Value]] = {}


def encode(at: int, seq: int | None, metrics: Iterable[Metric]) -> bytes:
    """A payload of the time `at` (Unix milliseconds); `seq` is None in deaths of nodes.

    Raises ConfigurationError when the package protobuf is missing.
    """
    payload = message_class("Payload")(timestamp=at)
    if seq is not None:
        payload.seq = seq
    for metric in metrics:
        _fill(payload.metrics.add(), metric)
    found: bytes = payload.SerializeToString()
    return found


def decode(payload: bytes) -> list[tuple[str, Value | None]]:
    """The named metrics of a command with their values. Raises ValueError when it is no payload."""
    found = message_class("Payload")()
    try:
        found.ParseFromString(payload)
    except Exception as error:  # protobuf's own class is not importable everywhere under one name
        raise ValueError(f"this is no Sparkplug payload: {error}") from error
    return [(metric.name, _value(metric)) for metric in found.metrics]


def fits(datatype: int, value: Value) -> Value | None:
    """`value` as `datatype` holds it; None when it does not fit."""
    if datatype == BOOLEAN:
        return value if isinstance(value, bool) else None
    if datatype == STRING:
        return value if isinstance(value, str) else str(value)
    if isinstance(value, str | bool):
        return None
    if datatype in (FLOAT, DOUBLE):
        return float(value)
    low, high = RANGES[datatype]
    return int(value) if float(value).is_integer() and low <= value <= high else None


@cache
def message_class(name: str) -> Any:
    """The class of a message of the schema. Raises ConfigurationError when the package protobuf is missing."""
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise ConfigurationError(
            'The format "sparkplug" needs the Python package protobuf, which is not installed: type '
            "'pip install gewu-edge[sparkplug]' (in a source checkout 'pip install protobuf'), or use another format."
        ) from None
    types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="gewu/sparkplug_b.proto", package=_PACKAGE, syntax="proto2")
    for message, fields in _SCHEMA.items():
        declared = file.message_type.add(name=message)
        for field, number, kind, repeated in fields:
            label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
            if kind in _SCHEMA:
                declared.field.add(
                    name=field, number=number, label=label, type=types.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{kind}"
                )
            else:
                declared.field.add(name=field, number=number, label=label, type=getattr(types, f"TYPE_{kind}"))
    # A pool of its own: another program's schema under the same names is no clash.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _fill(out: Any, metric: Metric) -> None:
    if metric.name is not None:
        out.name = metric.name
        out.datatype = metric.datatype
    if metric.alias is not None:
        out.alias = metric.alias
    out.timestamp = max(0, metric.at)
    if metric.historical:
        out.is_historical = True
    if metric.transient:
        out.is_transient = True
    for key, (datatype, value) in metric.properties.items():
        out.properties.keys.append(key)
        _set(out.properties.values.add(type=datatype), datatype, value)
    if metric.value is None:
        out.is_null = True
    else:
        _set(out, metric.datatype, metric.value)


def _set(out: Any, datatype: int, value: Value) -> None:
    # Negative numbers travel as their two's complement in an unsigned field.
    wrapped = value % _UNSIGNED[datatype] if datatype in _UNSIGNED and isinstance(value, int) else value
    setattr(out, _FIELDS[datatype], wrapped)


def _value(metric: Any) -> Value | None:
    for field in dict.fromkeys(_FIELDS.values()):
        if metric.HasField(field):
            found: Value = getattr(metric, field)
            return found
    return None
