"""mmdb.py - writes small databases in MaxMind's form, for tests.

The form: https://maxmind.github.io/MaxMind-DB/ - a binary tree of address
bits, records behind it, and a description at the end.
"""

import ipaddress
import struct

MARK = b"\xab\xcd\xefMaxMind.com"
STRING, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 5, 6, 7, 9, 11


def control(kind, size):
    """The octets before a value: its kind and its length."""
    assert size < 285
    low, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
    if kind < 8:
        return bytes([kind << 5 | low]) + more
    return bytes([low, kind - 7]) + more


class Typed(int):
    """A number of another kind than uint32."""

    kind = UINT32

    @classmethod
    def of(cls, kind, n):
        number = cls(n)
        number.kind = kind
        return number


def encode(value):
    if isinstance(value, str):
        raw = value.encode()
        return control(STRING, len(raw)) + raw
    if isinstance(value, int):
        raw = value.to_bytes(8, "big").lstrip(b"\0")
        return control(getattr(value, "kind", UINT32), len(raw)) + raw
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(encode(v) for v in value)
    return control(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())


def bits_of(net, version):
    """The path of a network in the tree; IPv4 is ::/96 in a tree of IPv6."""
    net = ipaddress.ip_network(net)
    number, length, width = int(net.network_address), net.prefixlen, net.max_prefixlen
    if net.version < version:
        length += 96
        width = 128
    return [number >> (width - 1 - i) & 1 for i in range(length)]


def database(networks, kind, version=6):
    """The octets of a database; networks: {"192.0.2.0/24": {...}}."""
    nodes, data, at = [[None, None]], b"", {}
    for net, record in networks.items():
        raw = encode(record)
        if raw not in at:
            at[raw] = len(data)
            data += raw
        path, node = bits_of(net, version), 0
        for bit in path[:-1]:
            if nodes[node][bit] is None:
                nodes.append([None, None])
                nodes[node][bit] = ("node", len(nodes) - 1)
            assert nodes[node][bit][0] == "node", f"{net} lies in another network"
            node = nodes[node][bit][1]
        nodes[node][path[-1]] = ("data", at[raw])
    count = len(nodes)
    tree = b""
    for node in nodes:
        for record in node:
            n = (count if record is None else record[1] if record[0] == "node"
                 else count + 16 + record[1])
            tree += struct.pack(">I", n)[1:]
    return tree + bytes(16) + data + MARK + encode({
        "node_count": count,
        "record_size": Typed.of(UINT16, 24),
        "ip_version": Typed.of(UINT16, version),
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": Typed.of(UINT16, 2),
        "binary_format_minor_version": Typed.of(UINT16, 0),
        "build_epoch": Typed.of(UINT64, 1767225600),
        "description": {"en": "made by a test"},
    })


def write(path, networks, kind, version=6):
    with open(path, "wb") as f:
        f.write(database(networks, kind, version))
    return path
