#!/usr/bin/python3
"""mutants.py - conversations with something wrong in them, at random: octets
changed, packets lost, doubled, swapped, cut off.  Whatever comes, the daemon
lives and serves the next.

The seed is printed; SEED=N plays the same again, MUTANTS=N tells how many."""

import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import Closed, Milter, cstring, packet
from scratch import Scratch, binary
from tap import Tap, skip_all

RULES = """\
set authentication-results spf dkim
rule r-helo
    if   helo matches /^(\\w+)\\.bad/ or helo.ip is set
    then score +1
rule r-sender
    if   sender.domain is bad.example and rcpt.count > 3
    then reject "sender"
rule r-person
    if   rcpt.local is postmaster
    then accept
rule r-header
    if   from.domain is bad.example or header["X-Any"] matches /x{5,}/ or date.age > 10d or list-id is set
    then tag subject "[${from.domain}]"
    then add header X-Seen "${message-id} ${rcpt.count}"
rule r-body
    if   raw.body matches /poison/i or dkim is fail
    then quarantine "${subject}"
"""
ZONE = 'example.com TXT "v=spf1 ip4:192.0.2.0/24 -all"\nbad.example TXT "v=spf1 %{i -all"\n'

SIGNATURE = (b" v=1; a=rsa-sha256; c=simple/simple; d=example.com; s=sel;\n\th=from:subject; "
             b"bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA")


def conversation(r):
    """A right one, as packets."""
    packets = [packet("O", b"\0\0\0\6\0\0\1\xff\0\x1f\xff\xff"),
               packet("D", b"C" + cstring("{daemon_name}") + cstring("mx")),
               packet("C", cstring("mail.example.com") + b"4\xc3\xcb" + cstring("192.0.2.7")),
               packet("H", cstring(r.choice(["mail.example.com", "x.bad", "[192.0.2.1]", "[IPv6:::1]", ""])))]
    for _ in range(r.randrange(1, 4)):
        packets += [packet("D", b"M" + cstring("i") + cstring("Q1") + cstring("{auth_authen}") + cstring("bob")),
                    packet("M", cstring(r.choice(["<>", "<a@example.com>", "<a@bad.example>", "<@>", "a b"])) + cstring("SIZE=10"))]
        packets += [packet("R", cstring(r.choice(["<b@example.org>", "<postmaster@example.org>", "<>", "<b+c@example.org>"])))
                    for _ in range(r.randrange(0, 5))]
        packets.append(packet("T"))
        packets += [packet("L", cstring(n) + cstring(v)) for n, v in r.sample([
            ("From", b" \"B\" <b@bad.example>"), ("Subject", b" =?utf-8?b?aGVsbG8=?= poison"), ("X-Any", b" xxxxxxx"),
            ("Date", b" Mon, 1 Jan 2024 10:00:00 +0000"), ("List-Id", b" <l.example>"), ("DKIM-Signature", SIGNATURE),
            ("Authentication-Results", b" mx; spf=pass"), ("Message-ID", b" <a@b>"), ("To", b" a, b: c;, <d@e>")],
            r.randrange(0, 10))]
        packets.append(packet("N"))
        packets += [packet("B", r.choice([b"hello\r\n", b"poi", b"son\r\n", b"\r\n" * 100, b"x" * 65535]))
                    for _ in range(r.randrange(0, 4))]
        packets.append(packet(r.choice("EEEA")))
    return packets + [packet("Q")]


def mutate(r, packets):
    packets = list(packets)
    for _ in range(r.randrange(1, 5)):
        at = r.randrange(len(packets))
        what = r.randrange(8)
        if what == 0:
            del packets[at]
        elif what == 1:
            packets.insert(at, packets[r.randrange(len(packets))])
        elif what == 2:
            other = r.randrange(len(packets))
            packets[at], packets[other] = packets[other], packets[at]
        elif what == 3:
            packets[at] = packets[at][:r.randrange(len(packets[at]) + 1)]
        elif what == 4:     # right length, other content
            data = bytearray(packets[at])
            for _ in range(r.randrange(1, 4)):
                if len(data) > 4:
                    data[r.randrange(4, len(data))] = r.randrange(256)
            packets[at] = bytes(data)
        elif what == 5:
            data = bytearray(packets[at])
            if data:
                data[r.randrange(len(data))] ^= 1 << r.randrange(8)
            packets[at] = bytes(data)
        elif what == 6 and len(packets[at]) > 5:    # grown or shrunk, the length right
            data = packets[at][5:]
            cut = r.randrange(len(data))
            data = data[:cut] + r.choice([b"", b"\0", b"\0\0\0", b"%s%n" * 50, b"\xff" * 300, b"A" * 70000]) + data[cut:]
            packets[at] = packet(chr(packets[at][4]), data[:r.choice([len(data), cut])])
        else:
            packets.insert(at, packet(chr(r.randrange(256)), r.randbytes(r.randrange(40))))
        if not packets:
            return [b""]
    return packets


def play(address, r):
    """Sends all and reads what comes until the daemon closes; True if it does in time."""
    with Milter(address, timeout=10) as m:
        reader = threading.Thread(target=drain, args=(m,))
        reader.start()
        try:
            for octets in mutate(r, conversation(r)):
                m.write(octets)
                if r.random() < 0.02:
                    break
            m.half_close()
        except (Closed, OSError):
            pass
        reader.join(15)
        return not reader.is_alive()


def drain(m):
    try:
        while m.sock.recv(65536):
            pass
    except OSError:
        pass


def serves(address):
    try:
        with Milter(address) as m:
            m.open()
            last = m.message(headers=[("Subject", " plain")])[1]
            return last is not None and last.kind in ("accept", "continue")
    except (Closed, OSError):
        return False


def worker(address, seeds, stuck):
    for seed in seeds:
        try:
            if not play(address, random.Random(seed)):
                stuck.append("%d: not closed" % seed)
        except OSError as error:
            stuck.append("%d: %s" % (seed, error))
            return


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    count = int(os.environ.get("MUTANTS", "600"))
    seed = int(os.environ.get("SEED") or random.randrange(1 << 31))
    tap.comment("SEED=%d MUTANTS=%d" % (seed, count))
    seeds = [seed + n for n in range(count)]
    stuck = []
    with Scratch("mutant") as scratch, Daemon(scratch, RULES, zone=ZONE) as d:
        threads = [threading.Thread(target=worker, args=(d.address, seeds[n::4], stuck)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        tap.same(stuck, [], "%d mutants: each connection ends" % count)
        tap.ok(serves(d.address), "the next is served", d.text()[-2000:])
        status = d.stop()
        tap.ok(status == 0 and not d.crashed(), "the daemon ends well", status, d.crashed(), d.text()[-3000:])
        tap.ok(all(l.startswith("postern: ") and len(l.encode()) <= 1020 for l in d.lines), "its log is whole",
               [l for l in d.lines if not l.startswith("postern: ") or len(l.encode()) > 1020][:3])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
