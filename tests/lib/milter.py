"""milter.py - the MTA's side of the milter protocol, for tests.

It speaks as Postfix and Sendmail do, and worse where a test asks for it: any
segmentation of the stream, packets out of order, none at all.  It keeps the
negotiated flags and, like an MTA, neither sends what the filter did not ask
for nor waits for replies that the filter said it would not give.
"""

import socket
import struct

# Steps that the filter may decline (SMFIP_NO...) or not answer (SMFIP_NR_...).
NO = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20, "N": 0x40, "U": 0x100, "T": 0x200}
NR = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "U": 0x20000,
      "N": 0x40000, "B": 0x80000}
SKIP, RCPT_REJ, HDR_LEADSPC = 0x400, 0x800, 0x100000
ALL_STEPS = 0x1FFFFF

ADDHDRS, CHGBODY, ADDRCPT, DELRCPT, CHGHDRS, QUARANTINE, CHGFROM, ADDRCPT_PAR, SETSYMLIST = (
    1 << n for n in range(9))
ALL_ACTIONS = 0x1FF

STAGES = ("connect", "helo", "mail", "rcpt", "data", "eom", "eoh")

FINAL = {"a": "accept", "c": "continue", "d": "discard", "r": "reject", "t": "tempfail", "s": "skip",
         "y": "reply", "f": "connection-failure", "4": "shutdown"}


class Closed(Exception):
    """The filter closed the connection."""


def packet(code, data=b""):
    return struct.pack("!I", len(data) + 1) + code.encode("latin-1") + data


def cstring(text):
    return (text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")) + b"\0"


class Offer:
    """What the filter answered to the negotiation."""

    def __init__(self, data):
        self.version, self.actions, self.steps = struct.unpack("!III", data[:12])
        self.macros = {}
        rest = data[12:]
        while rest:
            stage, = struct.unpack("!I", rest[:4])
            names, _, rest = rest[4:].partition(b"\0")
            self.macros[STAGES[stage]] = names.decode().replace(",", " ").split()

    def declines(self, code):
        return bool(self.steps & NO.get(code, 0))

    def silent(self, code):
        return bool(self.steps & NR.get(code, 0))


class Reply:
    """kind: a value of FINAL, or "none" where no reply was due; code, enhanced and lines of a "reply";
    changes: [(letter, fields)] before the last reply of the end of message."""

    def __init__(self, kind, data=b"", changes=()):
        self.kind = kind
        self.changes = list(changes)
        self.code = None
        self.enhanced = None
        self.lines = []
        self.lone_percent = False
        self.raw = data
        if kind == "reply":
            self._parse(data.rstrip(b"\0"))

    def _parse(self, data):
        self.raw = data
        # The MTAs take "%%" for "%"; a single one would be lost, or spoil the reply.
        self.lone_percent = b"%" in data.replace(b"%%", b"")
        text = data.replace(b"%%", b"%").decode("latin-1")
        for line in text.split("\r\n"):
            self.code = int(line[:3])
            rest = line[4:]
            word, _, tail = rest.partition(" ")
            if word.count(".") == 2 and word.replace(".", "").isdigit():
                self.enhanced, rest = word, tail
            self.lines.append(rest)

    @property
    def text(self):
        return "\n".join(self.lines)

    def refused(self):
        return self.kind in ("reject", "tempfail") or self.kind == "reply"

    def __repr__(self):
        if self.kind == "reply":
            return "%s %s %r" % (self.code, self.enhanced, self.lines)
        return self.kind + (" %r" % self.changes if self.changes else "")


def parse_change(code, data):
    """A modification as a tuple of text and numbers."""
    if code in "im":
        index, = struct.unpack("!I", data[:4])
        return (index,) + _strings(data[4:])
    return _strings(data) if code in "h+-2qe" else (data,)


def _strings(data):
    """Each ends in a NUL."""
    return tuple(s.decode("utf-8", "surrogateescape") for s in data.removesuffix(b"\0").split(b"\0"))


class Milter:
    """address: path of a unix socket, or (host, port).  segment: octets a write, None for all at once."""

    def __init__(self, address, timeout=10.0, segment=None):
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.segment = segment
        self.offer = None
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # -- octets

    def write(self, octets):
        step = self.segment or max(len(octets), 1)
        try:
            for i in range(0, len(octets), step):
                self.sock.sendall(octets[i:i + step])
        except (BrokenPipeError, ConnectionResetError):
            raise Closed()

    def _read(self, n):
        while len(self.buffer) < n:
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                raise Closed()
            self.buffer += got
        octets, self.buffer = self.buffer[:n], self.buffer[n:]
        return octets

    def read(self):
        """The next packet: its letter and its data."""
        n, = struct.unpack("!I", self._read(4))
        if not 0 < n < 1 << 24:
            raise ValueError("length %d from the filter" % n)
        octets = self._read(n)
        return chr(octets[0]), octets[1:]

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def closed_by_filter(self):
        """Does the connection end without a packet?"""
        try:
            return self.sock.recv(1) == b"" if not self.buffer else False
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False

    # -- packets

    def send(self, code, data=b""):
        self.write(packet(code, data))

    def reply(self):
        """Reads up to the next last word; modifications and progress are gathered on the way."""
        changes = []
        while True:
            code, data = self.read()
            if code in FINAL:
                return Reply(FINAL[code], data, changes)
            if code == "p":
                continue
            changes.append((code, parse_change(code, data)))

    def negotiate(self, version=6, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.send("O", struct.pack("!III", version, actions, steps))
        code, data = self.read()
        if code != "O":
            raise ValueError("negotiation answered with %r" % code)
        self.offer = Offer(data)
        return self.offer

    def macros(self, code, **values):
        self.macro_list(code, values.items())

    def macro_list(self, code, pairs):
        self.send("D", code.encode() + b"".join(cstring(_macro(k)) + cstring(v) for k, v in pairs))

    def step(self, code, data=b""):
        if self.offer is not None:
            if self.offer.declines(code):
                return Reply("none")
            self.send(code, data)
            if self.offer.silent(code):
                return Reply("none")
        else:
            self.send(code, data)
        return self.reply()

    # -- SMTP, as an MTA tells it

    def connect(self, ip="192.0.2.7", name=None, port=50123):
        name = name or "[%s]" % ip
        if ip is None:
            return self.step("C", cstring(name) + b"U")
        family = b"6" if ":" in ip else b"4"
        return self.step("C", cstring(name) + family + struct.pack("!H", port) + cstring(ip))

    def helo(self, name="mail.example.com"):
        return self.step("H", cstring(name))

    def mail(self, sender="<alice@example.com>", *params):
        return self.step("M", cstring(sender) + b"".join(cstring(p) for p in params))

    def rcpt(self, path="<bob@example.org>", *params):
        return self.step("R", cstring(path) + b"".join(cstring(p) for p in params))

    def data(self):
        return self.step("T")

    def header(self, name, value):
        """value as it stood after the colon: the leading blank is kept only if the filter asked for it."""
        if self.offer is None or not self.offer.steps & HDR_LEADSPC:
            value = value.lstrip(b" " if isinstance(value, bytes) else " ")
        return self.step("L", cstring(name) + cstring(value))

    def end_of_headers(self):
        return self.step("N")

    def body(self, octets):
        reply = Reply("none")
        for i in range(0, len(octets), 65535):
            reply = self.step("B", octets[i:i + 65535])
            if reply.kind not in ("continue", "none"):
                break
        return reply

    def end(self, octets=b""):
        self.send("E", octets)
        return self.reply()

    def unknown(self, line):
        return self.step("U", cstring(line))

    def abort(self):
        self.send("A")

    def quit(self):
        """True if the filter closes, as it must."""
        self.send("Q")
        return self.closed_by_filter()

    def quit_nc(self):
        """The next client comes by the same connection, and what was negotiated stays."""
        self.send("K")

    # -- whole dialogues

    def open(self, ip="192.0.2.7", name=None, helo="mail.example.com", **offer):
        """Negotiation to HELO; the first reply that is not "go on", or the last."""
        self.negotiate(**offer)
        reply = self.connect(ip, name)
        if reply.kind in ("continue", "none"):
            reply = self.helo(helo)
        return reply

    def content(self, headers=(("From", " alice@example.com"), ("Subject", " hello")), body=b"hello\r\n"):
        """DATA to the final dot; ends early where the filter says so."""
        reply = self.data()
        if reply.kind not in ("continue", "none"):
            return reply
        for name, value in headers:
            reply = self.header(name, value)
            if reply.kind not in ("continue", "none"):
                return reply
        for step in (self.end_of_headers, lambda: self.body(body)):
            reply = step()
            if reply.kind not in ("continue", "none", "skip"):
                return reply
        return self.end()

    def message(self, sender="<alice@example.com>", rcpts=("<bob@example.org>",), queue_id="4XyZ12", **content):
        """MAIL to the final dot: ([reply to MAIL, to each RCPT ...], last reply or None)."""
        self.macros("M", i=queue_id)
        replies = [self.mail(sender)]
        if replies[0].kind not in ("continue", "none"):
            return replies, None
        for path in rcpts:
            replies.append(self.rcpt(path))
        if all(r.refused() for r in replies[1:]):
            self.abort()
            return replies, None
        return replies, self.content(**content)


def _macro(name):
    return name if len(name) == 1 or name.startswith("{") else "{%s}" % name
