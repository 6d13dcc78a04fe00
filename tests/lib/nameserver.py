"""nameserver.py - a name server for tests: UDP on a free port of loopback, which
answers what it is told to, as late as it is told to, or never."""

import socket
import struct
import threading
import time

A, PTR, MX, TXT, AAAA = 1, 12, 15, 16, 28


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode("latin-1") for part in name.split(".")) + b"\0"


def text(value):
    value = value.encode("latin-1")
    return b"".join(bytes([len(value[i:i + 255])]) + value[i:i + 255] for i in range(0, len(value), 255))


class NameServer:
    """What add() has told; else by the first label of the name.  slow...: silence; pass...: an SPF record;
    late-N...: the same, known N ms after the first question, as with a name server that must ask others;
    all else: no such name."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.asked = {}         # (name, type): [times]
        self.records = {}       # (name, type): [(type, rdata)]
        self.held = {}          # name: questions that wait for release()
        self.change = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def add(self, name, kind, *rdata):
        """The records of a name; none at all: no data."""
        self.records[(name.lower(), kind)] = [(kind, r) for r in rdata]

    def hold(self, *names):
        """Of these nothing is told until they are released."""
        with self.change:
            for name in names:
                self.held.setdefault(name.lower(), [])

    def release(self, *names):
        with self.change:
            waiting = [args for name in names for args in self.held.pop(name.lower())]
        for args in waiting:
            self._answer(*args)

    def wait_asked(self, *names):
        """Waits until each was asked for, however long that takes; False: it never was."""
        with self.change:
            return self.change.wait_for(lambda: {n.lower() for n in names} <= {n for n, _ in self.asked}, 60)

    def _serve(self):
        while True:
            try:
                packet, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while packet[at]:
                labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
                at += 1 + packet[at]
            kind, = struct.unpack("!H", packet[at + 1:at + 3])
            key = (".".join(labels), kind)
            found = self._find(key, labels[0] if labels else "")
            with self.change:
                asked = self.asked.setdefault(key, [])
                asked.append(time.monotonic())
                self.change.notify_all()
                if found is not None and key[0] in self.held:
                    self.held[key[0]].append((packet, at) + found[:2] + (peer,))
                    continue
            if found is None:
                continue
            wait = asked[0] + found[2] / 1000 - asked[-1]
            if wait > 0:
                threading.Timer(wait, self._answer, (packet, at) + found[:2] + (peer,)).start()
            else:
                self._answer(packet, at, *found[:2], peer)

    def _find(self, key, label):
        """Is there such a name, its records, when they are known; None: silence."""
        if key in self.records:
            return True, self.records[key], 0
        word, _, number = label.partition("-")
        if word.startswith("slow"):
            return None
        if word != "late" and not word.startswith("pass"):
            return any(name == key[0] for name, _ in self.records), [], 0
        records = [(TXT, text("v=spf1 ip4:192.0.2.0/24 -all"))] if key[1] == TXT else []
        return True, records, int(number) if word == "late" else 0

    def _answer(self, packet, at, good, records, peer):
        answer = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 300, len(rdata)) + rdata
                          for kind, rdata in records)
        head = packet[:2] + struct.pack("!HHHHH", 0x8580 if good else 0x8583, 1, len(records), 0, 0)
        try:
            self.sock.sendto(head + packet[12:at + 5] + answer, peer)
        except OSError:
            pass

    def count(self, name, kind=TXT):
        return len(self.asked.get((name, kind), ()))

    def wait(self, name, kind=TXT, timeout=10.0):
        """Waits until somebody has asked; False: nobody did."""
        until = time.monotonic() + timeout
        while not self.count(name, kind) and time.monotonic() < until:
            time.sleep(0.01)
        return self.count(name, kind) > 0

    def close(self):
        self.sock.close()
