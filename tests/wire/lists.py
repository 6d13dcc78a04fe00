#!/usr/bin/python3
"""lists.py - list files and databases that change while sessions run: what is
taken, what isn't, and what the log says."""

import os
import struct
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon
from milter import Milter
from scratch import Scratch, binary, wait_until
from tap import Tap, skip_all

ASK = 'set earliest-reply mail\n%s\nrule r\n    if   sender %s x\n    then reject 550 5.7.1 "<${table.x}>"\n'
WAIT = 20


def told(m, sender="<a@b.example>"):
    """The reply to MAIL, None for none; the session stays usable."""
    reply = m.mail(sender)
    m.abort()
    return reply.text if reply.kind == "reply" else None


def replaced(d, mark, entries=None):
    return d.wait_line(r"list x: its files have changed, and it is replaced%s" %
                       ("" if entries is None else ": %d entries" % entries), mark, WAIT)


def kept(d, mark):
    return d.wait_line(r"list x: its files have changed, but it is not replaced", mark, WAIT)


def make_cdb(entries):
    """A constant database, as its author describes it."""
    def cdb_hash(key):
        h = 5381
        for c in key:
            h = ((h << 5) + h ^ c) & 0xffffffff
        return h
    data, tables = b"", [[] for _ in range(256)]
    for key, value in entries.items():
        key, value = key.encode(), value.encode()
        tables[cdb_hash(key) & 255].append((cdb_hash(key), 2048 + len(data)))
        data += struct.pack("<II", len(key), len(value)) + key + value
    head, tail = b"", b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        head += struct.pack("<II", 2048 + len(data) + len(tail), len(slots))
        for h, pos in table:
            at = (h >> 8) % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = (h, pos)
        tail += b"".join(struct.pack("<II", *s) for s in slots)
    return head + data + tail


def in_place(path, octets):
    with open(path, "wb") as f:
        f.write(octets)


# ---- cases

def plain(e, scratch):
    path = scratch.write("list", "a@b.example  first\n")
    with Daemon(scratch, ASK % ('addresses x = file "list"', "in")) as d, Milter(d.address) as m, \
            Milter(d.address) as open_one:
        m.open()
        open_one.open()
        e.ok("<first>" in (told(m) or ""), "plain: the text of the entry", told(m))
        # A transaction that has begun keeps the list that it began with.
        open_one.mail("<c@d.example>")
        mark = d.mark()
        scratch.write("list", "a@b.example  second\nc@d.example\n")
        e.ok(replaced(d, mark, 2), "plain: a renamed file is noticed", d.text()[-500:])
        e.ok("<second>" in (told(m) or ""), "plain: and taken in a session that is open", told(m))
        e.ok("<second>" in (told(open_one) or ""), "plain: an older transaction's session sees it with the next", told(open_one))
        # Broken: with its line; once.
        mark = d.mark()
        scratch.write("list", "a@b.example  third\n@\n")
        e.ok(d.wait_line(r"list x: \S*list:2:1: error: ", mark, WAIT), "plain: a broken one is told with its line",
             "\n".join(d.lines[mark:]))
        e.ok(kept(d, mark), "plain: and is not taken")
        e.ok("<second>" in (told(m) or ""), "plain: the old one goes on", told(m))
        # Half written, in place; then whole.
        mark = d.mark()
        in_place(path, b"a@b.example  fourth\nc@d.exa")
        e.ok(d.wait_line(r"list:2:8: error: the last line has no end", mark, WAIT), "plain: a half-written one is told",
             "\n".join(d.lines[mark:]))
        e.ok("<second>" in (told(m) or ""), "plain: and the old one goes on", told(m))
        mark = d.mark()
        in_place(path, b"")
        e.ok(d.wait_line(r"the file has become empty", mark, WAIT), "plain: an emptied one is told")
        mark = d.mark()
        os.unlink(path)
        e.ok(d.wait_line(r"cannot read \S*list: No such file", mark, WAIT), "plain: a missing one is told")
        e.ok("<second>" in (told(m) or ""), "plain: and the old one goes on", told(m))
        mark = d.mark()
        in_place(path, b"a@b.example  fifth\nc@d.example\n")
        e.ok(replaced(d, mark), "plain: when it is whole it is taken")
        e.ok("<fifth>" in (told(m) or ""), "plain: and asked", told(m))
        errors = [l for l in d.lines if "error: " in l]
        e.same(len(errors), 4, "plain: each mistake is told once", *errors)
        # A reload goes on with the file as it is, and is watched, too.
        e.ok(d.reload(), "plain: a reload")
        mark = d.mark()
        scratch.write("list", "a@b.example  sixth\n")
        e.ok(replaced(d, mark), "plain: changes are noticed after a reload")
        with Milter(d.address) as fresh:
            fresh.open()
            e.ok("<sixth>" in (told(fresh) or ""), "plain: and asked", told(fresh))
        e.same(d.stop(), 0, "plain: ends well", d.crashed(), d.text()[-1000:])


def cdb(e, scratch):
    path = scratch.join("table.cdb")
    in_place(path, make_cdb({"a@b.example": "first", "@c.example": "all of it"}))
    with Daemon(scratch, ASK % ('addresses x = cdb "table"', "in")) as d, Milter(d.address) as m:
        m.open()
        e.ok("<first>" in (told(m) or ""), "cdb: an address", told(m))
        e.ok("<all of it>" in (told(m, "<any@C.example>") or ""), "cdb: its domain", told(m, "<any@C.example>"))
        e.same(told(m, "<any@d.example>"), None, "cdb: nobody else")
        whole = make_cdb({"a@b.example": "second", "x@y.example": "more"})
        mark = d.mark()
        in_place(path, whole[:-40])
        e.ok(d.wait_line(r"error: cannot read \S*table.cdb: it is no whole CDB file", mark, WAIT) and kept(d, mark),
             "cdb: a half-written one is told", "\n".join(d.lines[mark:]))
        e.ok("<first>" in (told(m) or ""), "cdb: and the old one goes on, though its file is gone", told(m))
        mark = d.mark()
        scratch.write("table.cdb", whole)
        e.ok(replaced(d, mark, 2), "cdb: a whole one is taken")
        e.ok("<second>" in (told(m) or ""), "cdb: and asked", told(m))
        e.same(d.stop(), 0, "cdb: ends well", d.crashed(), d.text()[-1000:])


def postmap(scratch, kind, text):
    """True if postmap(1) has made the table."""
    scratch.write("main.cf", "compatibility_level = 3.6\n")
    with open(scratch.join("table"), "w") as f:
        f.write(text)
    for place in ("postmap", "/usr/sbin/postmap"):
        try:
            run = subprocess.run([place, "-c", scratch.path, "%s:%s" % (kind, scratch.join("table"))],
                                 capture_output=True, timeout=30)
        except OSError:
            continue
        return run.returncode == 0
    return False


def by_postmap(e, scratch):
    for kind in ("cdb", "lmdb"):
        if not postmap(scratch, kind, "A@b.example\tfirst\n"):
            e.skip("postmap %s" % kind, "no postmap(1), or without %s" % kind)
            continue
        with Daemon(scratch, ASK % ('addresses x = %s "table"' % kind, "in")) as d, Milter(d.address) as m:
            m.open()
            e.ok("<first>" in (told(m) or ""), "postmap %s: what it writes is read" % kind, told(m), d.text()[-500:])
            mark = d.mark()
            postmap(scratch, kind, "".join("u%d@b.example\tn%d\n" % (n, n) for n in range(3000)) + "a@b.example\tsecond\n")
            e.ok(replaced(d, mark, 3001), "postmap %s: a new table is taken" % kind, d.text()[-500:])
            e.ok("<second>" in (told(m) or ""), "postmap %s: and asked" % kind, told(m))
            e.ok("<n2999>" in (told(m, "<u2999@b.example>") or ""), "postmap %s: to its end" % kind)
            # Cut off under the daemon's feet.
            mark = d.mark()
            name = scratch.join("table." + kind)
            os.truncate(name, os.path.getsize(name) // 2)
            e.ok(kept(d, mark), "postmap %s: half of one is not taken" % kind, d.text()[-500:])
            e.ok("<second>" in (told(m) or ""), "postmap %s: and the old one goes on" % kind, told(m))
            e.same(d.stop(), 0, "postmap %s: ends well" % kind, d.crashed(), d.text()[-1000:])


def pcre(e, scratch):
    scratch.write("table", "if /@b\\.example$/\n/^(\\w+)@/  $1 is refused\nendif\n")
    with Daemon(scratch, ASK % ('patterns x = pcre "table"', "matches")) as d, Milter(d.address) as m:
        m.open()
        e.ok("<a is refused>" in (told(m) or ""), "pcre: text and capture", told(m))
        mark = d.mark()
        scratch.write("table", "/^a@/ open\nif /b/\n/x/ y\n")
        e.ok(d.wait_line(r"table:2:1: error: this if has no endif", mark, WAIT) and kept(d, mark),
             "pcre: an open if is told with its line", "\n".join(d.lines[mark:]))
        mark = d.mark()
        scratch.write("table", "/^a@/  second $$\n")
        e.ok(replaced(d, mark, 1), "pcre: a changed one is taken")
        e.ok("<second $>" in (told(m) or ""), "pcre: and asked", told(m))
        e.same(d.stop(), 0, "pcre: ends well", d.crashed(), d.text()[-1000:])


def under_load(e, scratch):
    """Sessions that never stop asking see one version or the other, and never neither."""
    def write(version):
        scratch.write("list", "".join("u%d@b.example v%d\n" % (n, version) for n in range(2000)) + "a@b.example v%d\n" % version)
    write(0)
    stop, seen, wrong = threading.Event(), set(), []

    def ask(address):
        with Milter(address) as m:
            m.open()
            while not stop.is_set():
                text = told(m)
                word = text[text.find("<") + 1:text.rfind(">")] if text else ""
                if word[:1] == "v":
                    seen.add(word)
                else:
                    wrong.append(text)
    with Daemon(scratch, ASK % ('addresses x = file "list"', "in")) as d:
        threads = [threading.Thread(target=ask, args=(d.address,)) for _ in range(4)]
        for t in threads:
            t.start()
        for version in range(1, 4):
            mark = d.mark()
            write(version)
            e.ok(replaced(d, mark, 2001), "under load: version %d is taken" % version)
            e.ok(wait_until(lambda: "v%d" % version in seen), "under load: and seen")
        stop.set()
        for t in threads:
            t.join(30)
        e.same(wrong[:3], [], "under load: nobody sees neither")
        e.same(d.stop(), 0, "under load: ends well", d.crashed(), d.text()[-1000:])


class SharedTap(Tap):
    """Results from several threads: the cases wait for the daemon's clock, so they wait together."""

    def __init__(self):
        super().__init__()
        self.lock = threading.RLock()

    def ok(self, *args):
        with self.lock:
            return super().ok(*args)

    def skip(self, *args):
        with self.lock:
            super().skip(*args)


CASES = [plain, cdb, by_postmap, pcre, under_load]


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = SharedTap()

    def run(case):
        with Scratch("lists") as scratch:
            tap.case(case.__name__, case, tap, scratch)
    threads = [threading.Thread(target=run, args=(case,)) for case in CASES]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
