"""dnsserver.py - a name server of its own process on loopback for the benchmark: TXT, A, or NXDOMAIN."""

import os
import signal
import socket
import struct
import sys


def name_at(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]])
        at += 1 + packet[at]
    return b".".join(labels).lower(), at + 1


def parents(names):
    """Names above one that exists exist, too."""
    out = set()
    for name in names:
        labels = name.split(b".")
        out.update(b".".join(labels[i:]) for i in range(len(labels)))
    return out


def answer(packet, zone, exist):
    name, at = name_at(packet, 12)
    (qtype,) = struct.unpack(">H", packet[at:at + 2])
    data = zone.get((name, qtype))
    rcode = 0 if data or name in exist else 3
    out = packet[:2] + struct.pack(">HHHHH", 0x8580 | rcode, 1, 1 if data else 0, 0 if data else 1, 0) + packet[12:at + 4]
    if data:
        return out + b"\xc0\x0c" + struct.pack(">HHIH", qtype, 1, 3600, len(data)) + data
    soa = b"\0\0" + struct.pack(">IIIII", 1, 3600, 600, 86400, 3600)
    return out + b"\0" + struct.pack(">HHIH", 6, 1, 3600, len(soa)) + soa


def strings(text):
    data = text.encode()
    return b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255))


class NameServer:
    """records: (name, TXT); addresses: (name, A)."""

    def __init__(self, records, addresses, address="127.0.0.1", port=0):
        zone = {(n.encode(), 16): strings(t) for n, t in records}
        zone.update({(n.encode(), 1): socket.inet_aton(a) for n, a in addresses})
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((address, port))
        self.address, self.port = sock.getsockname()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.serve(sock, zone)
        sock.close()

    @staticmethod
    def serve(sock, zone):
        exist = parents(n for n, _ in zone)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        while True:
            packet, peer = sock.recvfrom(4096)
            try:
                sock.sendto(answer(packet, zone, exist), peer)
            except (IndexError, struct.error):
                pass

    def stop(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
