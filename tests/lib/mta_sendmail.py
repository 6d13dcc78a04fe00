"""mta_sendmail.py - a Sendmail of the test's own, unpacked by fetch-sendmail into
the build directory and run from there: configuration and queue in a scratch
directory, on a free loopback port, all mail handed to a sink.

It gets a host name of its own, since it sleeps a minute where the name is not
qualified, names from a file alone, and a /dev/log of its own, since it logs by
syslog(3) only: hence the namespaces.  The scratch directory must not lie under
one that everybody may write to, or Sendmail calls the milter's socket unsafe.
"""

import os
import re
import shutil
import socket
import subprocess
import threading

from scratch import build_dir, can_connect, free_port, wait_until

MC = """\
VERSIONID(`test')
OSTYPE(`linux')
define(`confDOMAIN_NAME', `mx1.example.org')
define(`QUEUE_DIR', `{scratch}/queue')
define(`confPID_FILE', `{scratch}/sendmail.pid')
define(`STATUS_FILE', `{scratch}/statistics')
define(`HELP_FILE', `{scratch}/helpfile')
define(`ALIAS_FILE', `')
define(`confCW_FILE', `-o {scratch}/local-host-names')
define(`confSERVICE_SWITCH_FILE', `{scratch}/service.switch')
define(`confHOSTS_FILE', `{scratch}/hosts')
define(`confTO_IDENT', `0s')
define(`confTO_ICONNECT', `5s')
define(`confLOG_LEVEL', `14')
define(`confMILTER_LOG_LEVEL', `14')
define(`confMAX_DAEMON_CHILDREN', `0')
define(`confCONNECTION_RATE_THROTTLE', `0')
define(`confREFUSE_LA', `1000')
define(`confQUEUE_LA', `1000')
define(`confDELAY_LA', `0')
define(`confBAD_RCPT_THROTTLE', `0')
define(`confPRIVACY_FLAGS', `noreceipts')
define(`confMAX_MESSAGE_SIZE', `50000000')
define(`confDELIVERY_MODE', `{delivery}')
define(`SMART_HOST', `relay:[127.0.0.1]')
define(`RELAY_MAILER_ARGS', `TCP $h {sink}')
define(`MAIL_HUB', `relay:[127.0.0.1]')
FEATURE(`nocanonify')
FEATURE(`promiscuous_relay')
FEATURE(`accept_unresolvable_domains')
FEATURE(`accept_unqualified_senders')
FEATURE(`no_default_msa')
DAEMON_OPTIONS(`Port={port}, Addr=127.0.0.1, Name=MTA, Listen=200')
INPUT_MAIL_FILTER(`postern', `S={milter}, F={flag}, T=C:10s;S:10s;R:30s;E:2m')
MAILER(`smtp')
"""

# Runs with mounts and host name of its own.
START = """\
set -e
hostname mx1.example.org
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
mkdir "$1/dev"
mount -t tmpfs dev "$1/dev"
for n in null zero random urandom; do : >"$1/dev/$n"; mount --bind "/dev/$n" "$1/dev/$n"; done
ln -s "$1/log" "$1/dev/log"
mount --rbind "$1/dev" /dev
exec "$2" -bD -C "$1/sendmail.cf" -q1s
"""


def root():
    return os.path.join(build_dir(), "sendmail")


def program():
    return os.path.join(root(), "usr/libexec/sendmail/sendmail")


def missing():
    """Why there is no Sendmail to run, or None."""
    if os.geteuid() != 0:
        return "Sendmail needs root"
    if not os.access(program(), os.X_OK):
        return "Sendmail is not there (make deps-check)"
    if not shutil.which("m4"):
        return "m4 is not installed (make deps-check)"
    if "not found" in subprocess.run(["ldd", program()], capture_output=True, text=True).stdout:
        return "libraries of Sendmail are not installed (make deps-check)"
    if subprocess.run(["unshare", "--uts", "--mount", "true"], capture_output=True).returncode != 0:
        return "no namespaces may be made here (unshare --uts --mount)"
    return None


class Sendmail:
    name = "sendmail"
    has_xclient = False
    group = None                # it runs as root

    @staticmethod
    def told(text, about):
        """How the client hears a filter's text at MAIL and RCPT: with the address put before it."""
        code, _, rest = text.partition(" ")
        return "%s <%s>... %s" % (code, about, rest)

    def __init__(self, scratch, milter, sink_port, flag="T"):
        self.scratch = scratch
        self.port = free_port()
        os.mkdir(scratch.join("queue"), 0o700)
        scratch.write("hosts", "127.0.0.1 localhost\n127.0.0.1 mx1.example.org mx1\n127.0.0.2 client.example.com\n")
        scratch.write("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\n")
        scratch.write("service.switch", "hosts files\naliases files\npasswd files\n")
        for name in ("helpfile", "local-host-names", "statistics"):
            scratch.write(name, "")
        self._configure(milter, sink_port, flag)
        self.lines = []
        self.process = None

    def _configure(self, milter, sink_port, flag):
        cf = os.path.join(root(), "usr/share/sendmail/cf/")
        mc = MC.format(scratch=self.scratch.path, port=self.port, sink=sink_port, milter=milter, flag=flag,
                       delivery="background")
        path = self.scratch.write("sendmail.mc", mc)
        run = subprocess.run(["m4", "-D_CF_DIR_=" + cf, cf + "m4/cf.m4", path], capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError("m4: " + run.stderr)
        self.scratch.write("sendmail.cf", run.stdout)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(self.scratch.join("log"))
        self.syslog.settimeout(0.2)
        self.process = subprocess.Popen(
            ["unshare", "--uts", "--mount", "sh", "-c", START, "sh", self.scratch.path, program()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._collect, daemon=True).start()
        threading.Thread(target=self._output, daemon=True).start()
        if not wait_until(lambda: can_connect(self.port) or self.process.poll() is not None, 30) \
                or self.process.poll() is not None:
            self.stop()
            raise RuntimeError("Sendmail does not start:\n" + self.log_text())
        return self

    def _collect(self):
        while self.process.poll() is None:
            try:
                self.lines.append(self.syslog.recv(8192).decode("utf-8", "backslashreplace"))
            except socket.timeout:
                pass

    def _output(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log_text(self):
        return "\n".join(self.lines)

    def wait_log(self, pattern, timeout=10):
        return wait_until(lambda: re.search(pattern, self.log_text()), timeout)

    def _run(self, *args):
        run = subprocess.run(["unshare", "--uts", "sh", "-c", 'hostname mx1.example.org; exec "$0" "$@"', program(),
                              "-C", self.scratch.join("sendmail.cf"), *args],
                             capture_output=True, text=True, timeout=30)
        return run.stdout + run.stderr

    def queue(self):
        """What mailq prints of held messages."""
        return self._run("-bp", "-qQ")

    def release(self, queue_id):
        """As postern(8) says; the daemon's next run through the queue delivers it."""
        self._run("-qQ", "-Q", "-qI" + queue_id)

    def held_text(self, queue_id):
        with open(self.scratch.join("queue", "df" + queue_id), errors="backslashreplace") as f:
            body = f.read()
        with open(self.scratch.join("queue", "hf" + queue_id), errors="backslashreplace") as f:
            return f.read() + body

    def held(self):
        """Queue ids in quarantine, with sender: their control files begin with hf."""
        found = []
        for name in os.listdir(self.scratch.join("queue")):
            if name.startswith("hf"):
                with open(self.scratch.join("queue", name), errors="backslashreplace") as f:
                    sender = re.search(r"^S<?([^>\n]*)>?$", f.read(), re.M)
                found.append((name[2:], sender.group(1) if sender else ""))
        return found
