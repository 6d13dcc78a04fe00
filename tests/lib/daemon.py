"""daemon.py - postern under test: started in a scratch directory, ready by
systemd's notification, its log collected, stopped by its own process id."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import logline
from scratch import binary

CRASH = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|Assertion .* failed|"
                   r"stack smashing|double free|corrupted")


class NotReady(Exception):
    pass


class Daemon:
    """scratch: where socket and rules file live.  zone: text of a zone file; none is an empty one, so that no
    test asks the network.  listen: the socket as in `set listen`; default: a unix socket in scratch.  apart: what
    it writes to its log by one call is one of the lines, whatever line ends are in it."""

    def __init__(self, scratch, rules, zone="", listen=None, group=None, args=(), env=None, settings="", apart=False):
        self.scratch = scratch
        self.apart = apart
        self.listen = listen or "unix:" + scratch.join("postern.sock")
        self.settings = "set log stderr\n" + settings
        if "set listen" not in rules + settings:
            self.settings += "set listen %s\n" % self.listen
        if group:
            self.settings += "set socket-group %s\nset socket-mode 0660\n" % group
        self.write_rules(rules)
        self.args = ["run", "-c", self.path]
        if zone is not None:
            self.args += ["--zone", scratch.write("zone", zone)]
        self.args += args
        self.env = env or {}
        self.lines = []
        self.notices = []
        self.changed = threading.Condition()
        self.process = None
        self.ended = False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        """What a client connects to."""
        kind, _, rest = self.listen.partition(":")
        if kind == "unix":
            return rest
        port, _, host = rest.partition("@")
        return (host.strip("[]"), int(port))

    def write_rules(self, rules):
        self.path = self.scratch.write("rules", self.settings + rules)

    def start(self, timeout=15.0):
        path = self.scratch.join("notify")
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        os.chmod(path, 0o777)
        self.notify.settimeout(0.1)
        env = dict(os.environ, NOTIFY_SOCKET=path, **self.env)
        # A socket of records keeps calls apart, a pipe doesn't.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) if self.apart else (None, None)
        self.process = subprocess.Popen([binary()] + self.args, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=theirs or subprocess.PIPE)
        self.log = self.process.stderr
        if self.apart:
            theirs.close()
            self.log = iter(lambda: ours.recv(65536), b"")
        threading.Thread(target=self._collect, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self.wait_notice("READY=1", 0, timeout):
            # Its log ends a moment before it does.
            status = self.wait() if self.ended else None
            self.kill()
            raise NotReady("%s\n%s" % ("no READY=1 in %g s" % timeout if status is None else
                                       "exit status %d" % status, self.text()))
        return self

    def _listen(self):
        """What the daemon tells systemd."""
        with self.notify:
            while not self.ended:
                try:
                    text = self.notify.recv(4096).decode()
                except socket.timeout:
                    continue
                with self.changed:
                    self.notices.append(text)
                    self.changed.notify_all()

    def wait_notice(self, word, since=0, timeout=10.0):
        """The first notification from there on that holds the word, or None."""
        def found():
            return next((n for n in self.notices[since:] if word in n.split("\n")), None)
        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, timeout)
            return found()

    def _collect(self):
        for line in self.log:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _wait_end(self):
        with self.changed:
            self.changed.wait_for(lambda: self.ended, 10)

    # -- the log

    def text(self):
        return "\n".join(self.lines)

    def mark(self):
        """The place where the log ends now."""
        return len(self.lines)

    def wait_line(self, wanted, since=0, timeout=10.0):
        """The first line from there on for which wanted (a regular expression, or a function) is true, or None."""
        test = wanted if callable(wanted) else re.compile(wanted).search
        seen = since

        def new():
            return len(self.lines) > seen or self.ended
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    if test(line):
                        return line
                seen = len(self.lines)
                if self.ended or not self.changed.wait_for(new, max(0, deadline - time.monotonic())):
                    return None

    def wait_verdict(self, since=0, timeout=10.0, **fields):
        """The first message line with these values, parsed, or None."""
        def wanted(line):
            if not logline.is_verdict(line):
                return False
            have = logline.parse(line)
            return all(value in have.get(key, "") for key, value in fields.items())
        line = self.wait_line(wanted, since, timeout)
        return logline.parse(line) if line else None

    # -- its life

    def alive(self):
        return self.process.poll() is None

    def reload(self, sig=signal.SIGHUP, rules=None, timeout=10.0):
        """Sends the signal and waits until the daemon says to systemd that it is done: True if the new rules are
        in force, False if the old ones go on, None if nothing was said."""
        if rules is not None:
            self.write_rules(rules)
        since = len(self.notices)
        self.process.send_signal(sig)
        notice = self.wait_notice("READY=1", since, timeout)
        return None if notice is None else "STATUS=Rules of" in notice

    def signal(self, sig):
        self.process.send_signal(sig)

    def stop(self, timeout=20.0):
        """Ends it with SIGTERM; its exit status, or None where it had to be killed."""
        if self.process is None:
            return None
        if self.alive():
            self.process.terminate()
        return self.wait(timeout)

    def wait(self, timeout=20.0):
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            status = None
        self._wait_end()
        return status

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
        self._wait_end()

    def crashed(self):
        """Why, or None."""
        status = self.process.poll()
        if status is not None and status < 0 and status != -signal.SIGTERM:
            return "ended by " + signal.Signals(-status).name
        return next((l for l in self.lines if CRASH.search(l)), None)


def command(*args, stdin=None, timeout=30, env=None):
    """One of the other commands: (exit status, standard output, standard error)."""
    run = subprocess.run([binary(), *args], input=stdin, capture_output=True, timeout=timeout,
                         env=dict(os.environ, **(env or {})))
    return (run.returncode, run.stdout.decode("utf-8", "backslashreplace"),
            run.stderr.decode("utf-8", "backslashreplace"))
