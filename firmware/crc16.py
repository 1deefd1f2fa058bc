"""The CRC of Modbus RTU (polynomial A001 reflected, start FFFF). The CRC over a frame with its own CRC is 0."""

from array import array


def make_table():
    result = array("H", [0] * 256)
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        result[index] = value
    return result


TABLE = make_table()


def crc16(buffer, start: int, end: int) -> int:
    """Over buffer[start:end]; sent low byte first."""
    table = TABLE
    crc = 0xFFFF
    for index in range(start, end):
        crc = crc >> 8 ^ table[(crc ^ buffer[index]) & 0xFF]
    return crc
