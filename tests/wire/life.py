#!/usr/bin/python3
"""life.py - the daemon from its start to its end: sockets, privileges, reload,
stop, limits, and what it says to an operator's mistakes."""

import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon, command
from milter import Closed, Milter
from scratch import Scratch, binary, can_connect, free_port, have_ipv6, sanitized, wait_until
from tap import Tap, skip_all

THREADS = 16
SIMPLE = 'rule s\n    if   sender is bad@example.com\n    then reject 550 5.7.1 "No"\n'


def version(word):
    return 'set earliest-reply mail\nrule v\n    if   sender is bad@example.com\n    then reject 550 5.7.1 "%s"\n' % word


class Env:
    def __init__(self, tap):
        self.tap = tap
        self.same, self.ok = tap.same, tap.ok


def told(m):
    """Which version of the rules a session has; it stays usable."""
    reply = m.mail("<bad@example.com>")
    m.abort()
    return reply.text


def serves(address):
    try:
        with Milter(address) as m:
            m.open()
            last = m.message()[1]
            return last is not None and last.kind in ("accept", "continue")
    except (OSError, Closed):
        return False


def ends_well(e, d, name):
    status = d.stop()
    e.ok(status == 0 and not d.crashed(), name + ": ends well", "status %s, %s" % (status, d.crashed()), d.text()[-2000:])


# ---- sockets

def unix_sockets(e, scratch):
    path = scratch.join("postern.sock")
    with Daemon(scratch, SIMPLE) as d:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        e.same(oct(mode), "0o660", "unix: mode 0660 unless set")
        e.ok(serves(path), "unix: serves")
        # A second one finds the place taken and leaves the first alone.
        e.same(command("check", "--here", "-c", d.path)[0], 0, "unix: check --here finds no fault while it runs")
        status, out, err = command("run", "-c", d.path, "--zone", scratch.join("zone"))
        e.ok(status == 69 and err.count("\n") == 1 and path in err, "unix: a live socket is not replaced", status, err)
        e.ok(serves(path), "unix: and goes on")
        d.process.kill()
        d.wait()
    e.ok(os.path.exists(path), "unix: a killed daemon leaves its socket behind")
    with Daemon(scratch, "set socket-mode 0600\n" + SIMPLE) as d:
        e.same(oct(stat.S_IMODE(os.stat(path).st_mode)), "0o600", "unix: a stale socket is replaced, socket-mode is obeyed")
        e.ok(serves(path), "unix: and serves")
        ends_well(e, d, "unix")
    e.ok(not os.path.exists(path), "unix: the socket is removed at the end")
    with open(path, "w") as f:
        f.write("precious")
    status, out, err = command("run", "-c", d.path, "--zone", scratch.join("zone"))
    with open(path) as f:
        e.ok(status == 73 and ":2:12: error: " in err and "a file that is no socket is there" in err and
             f.read() == "precious", "unix: a file is not replaced", status, err)
    os.unlink(path)
    if os.geteuid() == 0:
        with Daemon(scratch, "set socket-group mail\nset socket-mode 0660\n" + SIMPLE) as d:
            import grp
            e.same(os.stat(path).st_gid, grp.getgrnam("mail").gr_gid, "unix: socket-group")


def removed_sockets(e, scratch):
    """A socket that was removed, or replaced, is a filter that nobody finds: it is said, whatever it may see itself."""
    for how in ("removed", "replaced"):
        os.mkdir(scratch.join(how))
        path, user = scratch.join(how, "s"), "set user nobody\n" if os.geteuid() == 0 else ""
        with Daemon(scratch, user + SIMPLE, listen="unix:" + path) as d:
            os.chmod(scratch.join(how), 0o700)
            e.ok(serves(path), "a socket to be %s: serves" % how)
            since = d.mark()
            if how == "removed":
                os.unlink(path)
            else:
                with socket.socket(socket.AF_UNIX) as other:
                    other.bind(path + ".new")
                    os.rename(path + ".new", path)
            e.ok(d.wait_line(r"the socket unix:\S+/s was removed: no MTA reaches this filter any more; restart postern", since),
                 "a socket %s: said" % how, d.lines[since:])
            e.ok(d.wait_notice("STATUS=The socket unix:%s was removed: restart postern" % path),
                 "a socket %s: systemd is told" % how, d.notices)
            ends_well(e, d, "a socket " + how)
            e.same(sum("was removed" in line for line in d.lines), 1, "a socket %s: said once" % how, d.text())
            e.same(os.path.exists(path), how == "replaced", "a socket %s: another's is left alone" % how)
    with Daemon(scratch, SIMPLE) as d:
        ends_well(e, d, "a socket that the filter removes")
        e.ok("was removed" not in d.text(), "a socket that the filter removes: nothing is said", d.text())


def unreachable(e, scratch):
    """The MTA's group must be able to come to the socket."""
    if os.geteuid() != 0:
        e.tap.skip("check --here: a directory that the MTA can't enter", "not root")
        return
    import grp
    os.mkdir(scratch.join("closed"), 0o750)
    path = scratch.write("r", "set socket-group mail\nset listen unix:%s\n" % scratch.join("closed", "s") + SIMPLE)
    status, out, err = command("check", "--here", "-c", path)
    e.ok(status == 0 and ":2:12: warning: group mail may not enter %s, so" % scratch.join("closed") in err,
         "check --here: a directory that the MTA can't enter", status, err)
    os.chown(scratch.join("closed"), 0, grp.getgrnam("mail").gr_gid)
    e.same(command("check", "--here", "-c", path)[2], "", "check --here: mended")


def broken_logs(e, scratch):
    """Whatever becomes of its log, mail goes on: closed, full, or a pipe that nobody reads."""
    path, sock = scratch.join("r"), scratch.join("l.sock")
    # A file of its own for the store must not come where stderr was.
    scratch.write("r", "set log stderr\nset listen unix:%s\nset store lmdb:%s\n" % (sock, scratch.join("store")) +
                  'rule r\n    if   rate["${sender}", 2 per 1h]\n    then reject 550 5.7.1 "Too many"\n')
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    try:
        while True:
            os.write(ends[1], b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(ends[1], True)
    with open("/dev/full", "w") as full:
        for name, how in (("closed", {"preexec_fn": lambda: os.close(2)}), ("full", {"stderr": full}),
                          ("unread", {"stderr": ends[1]})):
            p = subprocess.Popen([binary(), "run", "-c", path, "--zone", scratch.write("zone", "")],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **how)
            try:
                e.ok(wait_until(lambda: can_connect(sock)), "log %s: serves" % name, p.poll())
                with Milter(sock) as m:
                    m.open()
                    codes = []
                    for _ in range(4):
                        m.mail("<%s@example.com>" % name)
                        last = m.rcpt()
                        codes.append(last.code if last is not None and last.kind == "reply" else None)
                        m.abort()
                e.same(codes, [None, None, 550, 550], "log %s: judges and counts" % name)
                if name == "closed":
                    e.same(os.readlink("/proc/%d/fd/2" % p.pid), "/dev/null", "log closed: nothing else takes its place")
            finally:
                p.terminate()
                e.same(p.wait(20), 0, "log %s: ends well" % name)
    os.close(ends[0])
    os.close(ends[1])


def file_limit(e, scratch):
    """RLIMIT_FSIZE is an error of the store, and no signal."""
    import resource
    rules = ("set store lmdb:%s\n" % scratch.join("store") +
             'rule r\n    if   rate["${sender}", 1000 per 1h]\n    then reject "x"\nset on-error store skip\n')
    with Daemon(scratch, rules) as d:
        resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, (60000, 60000))
        with Milter(d.address) as m:
            m.open()
            for n in range(400):
                m.mail("<u%d@example.com>" % n)
                last = m.rcpt()
                m.abort()
                if d.wait_line("ulimit", 0, 0):
                    break
            e.ok(d.wait_line(r"store .*: the limit on the size of files \(ulimit -f\) is reached"), "file limit: said", d.text()[-500:])
            e.ok(d.alive() and (last is None or last.kind == "continue"), "file limit: mail goes on", last)
        ends_well(e, d, "file limit")


def out_of_descriptors(e, scratch):
    """Connections wait, the log says why, and it goes on once others have ended."""
    import resource
    with Daemon(scratch, SIMPLE) as d:
        since = d.mark()
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        waiting = [Milter(d.address) for _ in range(60)]
        e.ok(d.wait_line("all 40 descriptors are in use: new connections wait", since), "descriptors: said", d.text()[-500:])
        for m in waiting:
            m.close()
        e.ok(d.wait_line("there are descriptors again", since), "descriptors: said when there are some", d.text()[-500:])
        e.ok(serves(d.address), "descriptors: and it serves")
        ends_well(e, d, "descriptors")


def inet_sockets(e, scratch):
    port = free_port()
    with Daemon(scratch, SIMPLE, listen="inet:%d@127.0.0.1" % port) as d:
        e.ok(serves(d.address), "inet: serves")
        e.same(command("check", "--here", "-c", d.path)[0], 0, "inet: check --here finds no fault while it runs")
        status, out, err = command("run", "-c", d.path, "--zone", scratch.join("zone"))
        e.ok(status == 69 and err.count("\n") == 1 and str(port) in err, "inet: a port in use", status, err)
        ends_well(e, d, "inet")
    with Daemon(scratch, SIMPLE, listen="inet:%d@127.0.0.1" % port) as d:
        e.ok(serves(d.address), "inet: the same port again at once")
    if not have_ipv6():
        e.tap.skip("inet6: serves", "no IPv6 on loopback")
        return
    with Daemon(scratch, SIMPLE, listen="inet6:%d@::1" % free_port(socket.AF_INET6)) as d:
        e.ok(serves(d.address), "inet6: serves")


SCRIBBLE = {"MALLOC_PERTURB_": "165"}      # memory that was freed is seen to be, with glibc


def no_suffixes(scratch):
    """Rules that are good, with a warning, but for a file that the daemon needs."""
    return "strings unused = a b\nset dmarc rfc7489\nset public-suffix-list %s\n" % scratch.write("psl", "")


def refused_starts(e, scratch):
    """One line that says what and how to mend it, sysexits, nothing left behind."""
    sock = scratch.join("postern.sock")
    good = "set log stderr\nset listen unix:%s\n" % sock + SIMPLE

    def case(name, want, rules=None, args=None, lines=1, word=""):
        path = scratch.write("r", rules if rules is not None else good)
        status, out, err = command(*(args or ("run", "-c", path)))
        e.ok(status in (want if isinstance(want, tuple) else (want,)) and (lines == 0 or err.count("\n") == lines)
             and word in err and err.startswith("postern: " if lines else "") and not os.path.exists(sock),
             "start: " + name, "status %s, want %s" % (status, want), err)
        return err

    def shown(name, want, value, rules, word):
        """What this machine lacks, with a caret under the value."""
        err = case(name, want, rules, lines=0, word=word)
        line, text = next((n, t) for n, t in enumerate(rules.split("\n"), 1) if t.endswith(" " + value))
        column = text.index(value) + 1
        e.ok(":%d:%d: error: " % (line, column) in err and "| " + " " * (column - 1) + "^" + "~" * (len(value) - 1) + "\n" in err
             and err.endswith("not started: 1 mistake to mend\n"), "start: %s: shown" % name, err)
    case("no such rules file", 66, args=("run", "-c", scratch.join("nowhere")), word="nowhere")
    case("a directory for a rules file", (66, 78), args=("run", "-c", scratch.path), word=scratch.path)
    case("a mistake in the rules", 78, good + 'rule x\n    if   hello is x\n    then accept\n', lines=0, word="hello")
    case("a test in the file that fails", 78, good + 'test "t"\n    sender <bad@example.com>\n    rcpt <b@example.org>\n'
         '    expect accept\n', lines=0, word="expect")
    # Diagnostics point into the rules: they are told while these are there.
    path = scratch.write("r", no_suffixes(scratch) + good)
    status, out, err = command("run", "-c", path, env=SCRIBBLE)
    e.ok(status == 69 and ":1:9: warning: list 'unused'" in err and "cannot be read as a public suffix list" in err,
         "start: a list of suffixes that is none, beside a warning", status, err)
    case("an unknown option", 64, args=("run", "--nonsense"))
    case("an option without its value", 64, args=("run", "-c"))
    case("an unknown command", 64, args=("serve",), word="serve")
    case("no such zone file", 66, args=("run", "-c", scratch.write("r", good), "--zone", scratch.join("nozone")),
         word="nozone")
    case("a zone file that is none", 65, args=("run", "-c", scratch.write("r", good), "--zone",
                                               scratch.write("badzone", "a b c\n")), word="badzone")
    shown("a directory for a socket", 73, "unix:" + scratch.path, good.replace(sock, scratch.path),
          "directory (name a file in it")
    nowhere = scratch.join("no/such/dir/s")
    shown("a socket in no directory", 73, "unix:" + nowhere, good.replace(sock, nowhere), "(create it first)")
    case("a socket's path too long", 78, good.replace(sock, "/tmp/" + "x" * 120), lines=0, word="107")
    other = "inet:%d@192.0.2.1" % free_port()
    shown("an address of another host", (69, 73), other, good.replace("unix:" + sock, other), "192.0.2.1")
    case("a port that is none", 78, good.replace("unix:" + sock, "inet:99999@127.0.0.1"), lines=0)
    shown("a group that isn't there", 78, "nosuchgroup", "set socket-group nosuchgroup\n" + good, "nosuchgroup")
    shown("a user that isn't there", 78, "nosuchuser", "set user nosuchuser\n" + good, "nosuchuser")
    several = ("set user nosuchuser\nset socket-group nosuchgroup\nset store lmdb:%s/no/dir/store\nset listen unix:%s\n"
               'rule r\n    if   rate["${client.ip}", 1 per 1h]\n    then reject "x"\n' % (scratch.path, nowhere))
    err = case("all that is missing at once", 78, several, lines=0)
    e.same(re.findall(r":(\d+):\d+: error", err), ["1", "2", "3", "4"], "start: all that is missing at once", err)
    # The same before the start; and what is missing here is no mistake in the file.
    path = scratch.write("r", several)
    status, out, before = command("check", "--here", "-c", path)
    e.same((status, before), (78, err[:err.index("postern: ")]), "check --here: says the same")
    status, out, err = command("check", "-c", path)
    e.ok(status == 0 and "error" not in err, "check: asks nothing of this machine", status, err)
    path = scratch.write("r", "set dmarc rfc7489\nset public-suffix-list %s\n" % scratch.write("psl", "") + good)
    status, out, err = command("check", "--here", "-c", path)
    e.ok(status == 78 and "cannot be read as a public suffix list" in err, "check --here: the files behind facts", status, err)


def privileges(e, scratch):
    if os.geteuid() != 0:
        e.tap.skip("privileges: dropped", "not root")
        return
    with Daemon(scratch, "set user nobody\n" + version("one")) as d:
        with open("/proc/%d/status" % d.process.pid) as f:
            text = f.read()
        uid = re.search(r"^Uid:\s*(\d+)\s+(\d+)\s+(\d+)", text, re.M).groups()
        gid = re.search(r"^Gid:\s*(\d+)\s+(\d+)\s+(\d+)", text, re.M).groups()
        import pwd
        who = pwd.getpwnam("nobody")
        e.same((set(uid), set(gid)), ({str(who.pw_uid)}, {str(who.pw_gid)}), "privileges: dropped after binding")
        groups = re.search(r"^Groups:(.*)$", text, re.M).group(1).split()
        e.ok("0" not in groups, "privileges: no groups of root's left", groups)
        e.ok(serves(d.address), "privileges: serves")
        e.same(d.reload(signal.SIGHUP, "set user nobody\n" + version("two")), True, "privileges: reloads as that user")
        e.same(d.reload(signal.SIGHUP, "set user mail\n" + version("three")), False,
               "privileges: another user can't come by reload")
        e.ok(d.wait_line(r"user"), "privileges: and the log says so")
        ends_well(e, d, "privileges")


def without_threads(e, scratch):
    """Peers that break off in a packet hold a worker each, and no more can be begun: who came meanwhile is served after."""
    if os.geteuid() != 0:
        e.tap.skip("threads: none to be had", "not root")
        return
    # It counts a user's threads, and root's not: a user who has no other.
    d, limits = Daemon(scratch, "set user games\n" + version("one")), resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (THREADS, limits[1]))
    try:
        d.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, limits)
    try:
        fds = "/proc/%d/fd" % d.process.pid
        before = len(os.listdir(fds))
        half = [Milter(d.address) for _ in range(20)]
        for m in half:
            m.write(b"\0\0\0\15O")
        e.ok(wait_until(lambda: len(os.listdir(fds)) >= before + len(half)), "threads: twenty hold all there are")
        whole = [Milter(d.address) for _ in range(5)]
        e.ok(wait_until(lambda: len(os.listdir(fds)) >= before + len(half) + len(whole)), "threads: five more come")
        for m in half:
            m.close()
        served = 0
        for m in whole:
            m.open()
            served += told(m) == "one"
            m.close()
        e.same(served, len(whole), "threads: and are served when there are some again")
        ends_well(e, d, "threads")
    finally:
        d.stop()


def groups_in_chroot(e, scratch):
    """A user's further groups stand in a file that a new root doesn't have."""
    import grp
    import pwd
    users = {p.pw_name: p for p in pwd.getpwall() if p.pw_uid != 0}
    member = next((m for g in grp.getgrall() for m in g.gr_mem if m in users and g.gr_gid != users[m].pw_gid), None)
    if os.geteuid() != 0 or member is None:
        e.tap.skip("chroot: groups", "not root" if os.geteuid() != 0 else "no user has further groups")
        return
    want = {str(n) for n in os.getgrouplist(member, users[member].pw_gid)}
    with Daemon(scratch, "set user %s\nset chroot %s\n" % (member, scratch.path) + version("one")) as d:
        with open("/proc/%d/status" % d.process.pid) as f:
            groups = re.search(r"^Groups:(.*)$", f.read(), re.M).group(1).split()
        e.same(set(groups), want, "chroot: the user's groups are those outside")
        e.same(os.readlink("/proc/%d/root" % d.process.pid), scratch.path, "chroot: changed")


# ---- reload

def reload_beside_warning(e, scratch):
    with Daemon(scratch, version("one"), env=SCRIBBLE) as d:
        since = d.mark()
        e.same(d.reload(signal.SIGHUP, no_suffixes(scratch) + version("two")), False,
               "reload: without a file that is needed")
        e.ok(d.wait_line(r"rules:\d+:\d+: warning: list 'unused'", since) and
             d.wait_line(r"cannot be read as a public suffix list", since), "reload: the warnings beside it are told",
             d.text()[-1500:])
        ends_well(e, d, "reload beside a warning")


def reloads(e, scratch):
    with Daemon(scratch, version("one")) as d:
        old = Milter(d.address)
        old.open()
        e.same(told(old), "one", "reload: before")
        for sig, word in ((signal.SIGHUP, "two"), (signal.SIGUSR1, "three")):
            e.same(d.reload(sig, version(word)), True, "reload: taken by %s" % sig.name)
            with Milter(d.address) as m:
                m.open()
                e.same(told(m), word, "reload: a new session has the new rules")
            e.same(told(old), "one", "reload: an open session keeps its own")
        line = d.wait_line(r"reloaded: .*rules=\d+", 0)
        e.ok(line and d.path in line and re.search(r"sha256=[0-9a-f]{8,}", line), "reload: path, hash and counts in the log",
             d.text())
        since = d.mark()
        e.same(d.reload(signal.SIGHUP, 'rule x\n    if   subjct contains "x"\n    then accept\n'), False,
               "reload: a mistake is not taken")
        e.ok(d.wait_line(r"rules:\d+:\d+: error: .*subjct", since), "reload: with file, line and column", d.text()[-1500:])
        e.same(d.reload(signal.SIGUSR1, version("four") + 'test "t"\n    sender <bad@example.com>\n'
                        '    rcpt <b@example.org>\n    expect accept\n'), False, "reload: a failing test is not taken")
        with Milter(d.address) as m:
            m.open()
            e.same(told(m), "three", "reload: the old rules go on")
        d.settings = d.settings.replace("postern.sock", "other.sock")
        since = d.mark()
        e.same(d.reload(signal.SIGHUP, version("five")), False, "reload: another socket can't come by reload")
        e.ok(d.wait_line(r"listen", since), "reload: and the log says so")
        d.settings = d.settings.replace("other.sock", "postern.sock")
        os.unlink(d.path)
        e.same(d.reload(signal.SIGHUP), False, "reload: no file, no change")
        e.same(d.reload(signal.SIGHUP, version("six")), True, "reload: mended")
        e.same(told(old), "one", "reload: the old session has kept its rules through all that")
        e.ok(old.message()[1].kind in ("accept", "continue"), "reload: and its message is judged")
        old.close()
        for n in range(300):
            d.signal(signal.SIGHUP if n % 2 else signal.SIGUSR1)
        e.same(d.reload(signal.SIGHUP, version("seven")), True, "reload: three hundred signals on end")
        e.ok(serves(d.address), "reload: and it serves")
        ends_well(e, d, "reload")


def reloads_answered(e, scratch):
    """`postern reload` says what came of it: the unit's ExecReload fails where the old rules go on."""
    with Daemon(scratch, version("one")) as d:
        pid = str(d.process.pid)

        def asked(rules):
            d.write_rules(rules)
            return command("reload", pid)
        status, out, err = asked(version("two"))
        e.ok((status, err) == (0, "") and re.match(r"reloaded: %s sha256=\w+ rules=1 " % re.escape(d.path), out),
             "postern reload: taken", status, out, err)
        with Milter(d.address) as m:
            m.open()
            e.same(told(m), "two", "postern reload: is over when it answers")
        for name, rules, word in (
                ("a mistake", "strings s = a\n" + 'rule x\n    if   subjct contains "x"\n    then accept\n', r"rules:\d+:10: error: .*subjct"),
                ("a test that fails", version("three") + 'test "t"\n    sender <bad@example.com>\n    rcpt <b@example.org>\n'
                 "    expect accept\n", 'test "t" failed'),
                ("settings that wait for a restart", "set store-limit 5000\nset user nobody\n" + version("three"),
                 r"a reload can't change user, store-limit \(restart"),
                ("a file that is needed", no_suffixes(scratch) + version("three"), "cannot be read as a public suffix list"),
                ("a store that can't be had", 'set store lmdb:/nonexistent/x\nrule r\n    if   rate["${client.ip}", 1 per 1h]\n'
                 '    then reject "x"\n', "cannot use the store /nonexistent/x")):
            since = d.mark()
            status, out, err = asked(rules)
            e.ok(status == 78 and out == "" and err.count("\n") == 1 and err.startswith("postern: not reloaded, the old rules go on: ")
                 and re.search(word, err), "postern reload: " + name, status, err)
            e.ok(d.wait_line(word, since), "postern reload: %s: in the log, too" % name, d.lines[since:])
        e.ok(d.wait_notice("STATUS=Not reloaded, the old rules go on: refused: cannot use the store /nonexistent/x: "
                           "No such file or directory"), "postern reload: systemd has the reason, too", d.notices[-1:])
        d.write_rules(version("four"))
        for _ in range(200):
            d.signal(signal.SIGHUP)
        status, out, err = command("reload", pid)
        e.same(status, 0, "postern reload: behind many signals", err)
        ends_well(e, d, "postern reload")
    for name, args, want in (("nobody", (pid,), 69), ("no postern", (str(os.getpid()),), 69), ("no number", ("1x",), 64),
                             ("process 0", ("0",), 64), ("nothing", (), 64)):
        status, out, err = command("reload", *args)
        e.ok(status == want and err.count("\n") == 1, "postern reload: asked of %s" % name, status, err)


# ---- stop

def stops(e, scratch):
    body = 'rule b\n    if   raw.body contains "poison"\n    then reject 554 5.7.1 "Poison"\n'
    with Daemon(scratch, "set stop-timeout 20s\n" + body) as d:
        idle = Milter(d.address)
        idle.open()
        m = Milter(d.address)
        m.open()
        m.mail()
        m.rcpt()
        m.data()
        d.signal(signal.SIGTERM)
        e.ok(d.wait_notice("STOPPING=1"), "stop: told to systemd", d.notices)
        wait_until(lambda: not os.path.exists(d.address))
        e.ok(not serves(d.address), "stop: nobody new is let in")
        e.ok(d.alive(), "stop: waits for the message in hand")
        m.header("Subject", " x")
        m.end_of_headers()
        m.body(b"poison\r\n")
        last = m.end()
        e.same((last.kind, last.code), ("reply", 554), "stop: the message in hand gets its verdict")
        e.same(d.wait(10), 0, "stop: then it ends, with status 0")
        e.ok(d.wait_verdict(0, verdict="reject"), "stop: and its line is in the log", d.text())
        idle.close()
        m.close()
    with Daemon(scratch, "set stop-timeout 1s\n" + body) as d:
        m = Milter(d.address)
        m.open()
        m.mail()
        m.rcpt()
        began = time.monotonic()
        d.signal(signal.SIGTERM)
        e.same(d.wait(15), 0, "stop: a message that never ends is not waited for")
        took = time.monotonic() - began
        e.ok(0.5 <= took <= 6, "stop: but for stop-timeout", took)
        m.close()
    with Daemon(scratch, body) as d:
        began = time.monotonic()
        d.signal(signal.SIGINT)
        e.same(d.wait(15), 0, "stop: SIGINT, too")
        e.ok(time.monotonic() - began < 3, "stop: at once where nothing is in hand", time.monotonic() - began)
        e.ok(not os.path.exists(scratch.join("postern.sock")), "stop: the socket is gone")


# ---- limits

def memory(d):
    with open("/proc/%d/status" % d.process.pid) as f:
        return int(re.search(r"VmRSS:\s*(\d+) kB", f.read()).group(1)) / 1024


def floods(e, scratch):
    rules = ('rule b\n    if   raw.body contains "poison"\n    then reject "body"\n'
             'rule h\n    if   header["X-None"] contains "poison" or subject contains "poison"\n    then reject "header"\n')
    with Daemon(scratch, rules) as d:
        with Milter(d.address, timeout=30) as m:
            m.open()
            before = memory(d)
            for n in range(3):
                m.mail()
                m.rcpt()
                m.data()
                for _ in range(300):
                    m.header("X-Long", " " + "x" * 60000)
                for _ in range(20000):
                    m.header("X", " y")
                m.end_of_headers()
                for _ in range(200):
                    if m.step("B", b"z" * 65535).kind == "skip":
                        break
                last = m.end()
                e.ok(last.kind in ("accept", "continue", "reject", "tempfail", "reply"), "flood %d: answered" % n, last)
            e.ok(sanitized() or memory(d) - before < 60, "flood: 18 MB of header and 12 MB of body are not kept",
                 "%.0f MB before, %.0f MB after" % (before, memory(d)))
            m.mail()
            answers = {m.rcpt("<r%d@example.org>" % n).kind for n in range(5000)}
            m.abort()
            e.ok(answers <= {"continue", "none", "tempfail", "reply"}, "flood: 5,000 recipients are answered", answers)
            m.macro_list("M", [("{x%d}" % n, "y" * 100) for n in range(5000)])
            last = m.message()[1]
            e.ok(last.kind in ("accept", "continue"), "flood: 5,000 macros, and the session goes on", last)
            e.ok(sanitized() or memory(d) - before < 80, "flood: memory", "%.0f MB before, %.0f MB after" % (before, memory(d)))
        e.ok(serves(d.address), "flood: the next is served")
        ends_well(e, d, "flood")


def reload_memory(e, scratch):
    """The memory of old rules is given back, also if a session that had them ends later."""
    rules = "".join('rule r%d\n    if   sender.domain is "r%d.example" and subject contains "word%d"\n'
                    '    then reject 550 5.7.1 "No"\n' % (n, n, n) for n in range(5000))
    with Daemon(scratch, rules) as d:
        first, after = memory(d), []
        for _ in range(4):
            with Milter(d.address) as m:
                m.open()
                e.same(d.reload(signal.SIGHUP, timeout=60), True, "memory: reloaded")
            wait_until(lambda: memory(d) < first * 1.25, 5)
            after.append(memory(d))
        e.ok(sanitized() or max(after) < first * 1.25, "memory: that of old rules is given back",
             "%.0f MB at first, then %s" % (first, ["%.0f" % a for a in after]))
        ends_well(e, d, "memory")


def half_sent(e, scratch):
    """Peers that send half a packet and wait: nobody else waits for them."""
    with Daemon(scratch, SIMPLE) as d:
        stuck = [Milter(d.address) for _ in range(30)]
        for n, m in enumerate(stuck):
            if n % 2:
                m.negotiate()
            m.write(b"\0\0\0\x20M<half")
        began = time.monotonic()
        good = sum(serves(d.address) for _ in range(20))
        took = time.monotonic() - began
        e.same(good, 20, "half a packet: twenty others are served")
        e.ok(took < 3, "half a packet: at once", "%.2f s" % took)
        for m in stuck:
            m.close()
        e.ok(serves(d.address), "half a packet: and after they have gone")
        ends_well(e, d, "half a packet")


def many_idle(e, scratch):
    with Daemon(scratch, SIMPLE) as d:
        idle = [Milter(d.address) for _ in range(300)]
        for m in idle:
            m.negotiate()
        e.ok(serves(d.address), "300 idle sessions: the next is served")
        threads = len(os.listdir("/proc/%d/task" % d.process.pid))
        e.ok(threads < 100, "300 idle sessions: they hold no threads", "%d threads" % threads)
        for m in idle:
            m.close()
        ends_well(e, d, "300 idle sessions")


# ---- other commands, as far as the daemon's user needs them

def plain_commands(e, scratch):
    status, out, err = command("--version")
    e.ok(status == 0 and re.match(r"postern \d+\.\d+", out), "--version", out, err)
    status, out, err = command("--help")
    e.ok(status == 0 and "run" in out and "check" in out and "judge" in out, "--help", out, err)
    status, out, err = command()
    e.ok(status == 64 and err, "no command: says how", status, out, err)
    path = scratch.write("rules", SIMPLE)
    status, out, err = command("check", path)
    if status == 64:
        status, out, err = command("check", "-c", path)
    e.same(status, 0, "check: a good file", out, err)


CASES = [unix_sockets, removed_sockets, unreachable, inet_sockets, broken_logs, file_limit, out_of_descriptors, without_threads,
         refused_starts, privileges, groups_in_chroot, reload_beside_warning, reloads, reloads_answered,
         stops, floods, reload_memory, half_sent, many_idle, plain_commands]


def main():
    if not os.access(binary(), os.X_OK):
        skip_all("no %s" % binary())
    tap = Tap()
    e = Env(tap)
    for case in CASES:
        with Scratch("life") as scratch:
            tap.case(case.__name__, case, e, scratch)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
