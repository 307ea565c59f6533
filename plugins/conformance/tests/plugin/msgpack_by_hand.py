"""As much of MessagePack as the contract's bodies need (the specification's formats of nil, bool, int, float,
str, array and map), so that the example needs no package for it."""

import struct


def packb(value):
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return struct.pack(">Bq", 0xD3, value) if value < 2**63 else struct.pack(">BQ", 0xCF, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        text = value.encode()
        return struct.pack(">BI", 0xDB, len(text)) + text
    if isinstance(value, list):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(packb, value))
    if isinstance(value, dict):
        pairs = b"".join(packb(key) + packb(item) for key, item in value.items())
        return struct.pack(">BI", 0xDF, len(value)) + pairs
    raise ValueError(f"{type(value).__name__} cannot be packed")


# First byte: how its number is written.
NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
           0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
# First byte: what it is, and how its length is written.
LENGTHS = {0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"), 0xDC: ("list", ">H"),
           0xDD: ("list", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I")}


def unpackb(data):
    value, end = _read(data, 0)
    if end != len(data):
        raise ValueError("the body goes on after its end")
    return value


def _number(data, at, form):
    return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)


def _read(data, at):
    first, at = data[at], at + 1
    if first <= 0x7F or first >= 0xE0:
        return first - 256 * (first >= 0xE0), at
    if first in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[first], at
    if first in NUMBERS:
        return _number(data, at, NUMBERS[first])
    if first in LENGTHS:
        kind, form = LENGTHS[first]
        length, at = _number(data, at, form)
    elif first <= 0xBF:
        kind, mask = ("map", 0x0F) if first <= 0x8F else ("list", 0x0F) if first <= 0x9F else ("str", 0x1F)
        length = first & mask
    else:
        raise ValueError(f"no body begins with {first:#x}")
    if kind == "str":
        if at + length > len(data):
            raise ValueError("the body ends within a text")
        return data[at:at + length].decode(), at + length
    if kind == "list":
        items = []
        for _ in range(length):
            item, at = _read(data, at)
            items.append(item)
        return items, at
    pairs = {}
    for _ in range(length):
        key, at = _read(data, at)
        pairs[key], at = _read(data, at)
    return pairs, at
