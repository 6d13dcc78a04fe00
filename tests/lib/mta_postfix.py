"""mta_postfix.py - a Postfix of the test's own: configuration, queue and data in
a scratch directory, on a free loopback port, all mail handed to a sink.

It is the system's package run as root with its own config_directory, so an
installed and even a running Postfix is neither read nor touched.  Who connects is
no local client to it, or it would add a From to mail that has none.
"""

import os
import re
import shutil
import subprocess

from scratch import can_connect, free_port, wait_until

MASTER = """\
127.0.0.1:{port} inet n - n - 200 smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       20      smtp
relay     unix  -       -       n       -       20      smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
anvil     unix  -       -       n       -       1       anvil
postlog   unix-dgram n  -       n       -       1       postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {log}
maillog_file_prefixes = {scratch}
myhostname = mx1.example.org
mydomain = example.org
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = all
mynetworks =
default_transport = smtp:[127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_helo_required = no
relay_domains = static:all
relay_transport = relay:[127.0.0.1]:{sink}
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 100
smtputf8_enable = yes
alias_maps =
alias_database =
biff = no
notify_classes =
append_dot_mydomain = no
local_header_rewrite_clients =
message_size_limit = 50000000
mailbox_size_limit = 0
in_flow_delay = 0
milter_default_action = {default}
smtpd_milters = {milter}
"""


def missing():
    """Why there is no Postfix to run, or None."""
    if os.geteuid() != 0:
        return "Postfix needs root"
    if not shutil.which("postfix") and not os.path.exists("/usr/sbin/postfix"):
        return "Postfix is not installed (make deps-check)"
    return None


class Postfix:
    name = "postfix"
    has_xclient = True
    group = "postfix"           # smtpd runs as this user and must reach the unix socket

    @staticmethod
    def told(text, about):
        """How the client hears a filter's text at MAIL and RCPT."""
        return text

    def __init__(self, scratch, milter, sink_port, default_action="tempfail", settings=""):
        self.scratch = scratch
        self.port = free_port()
        self.config = scratch.join("postfix")
        self.log = scratch.join("mail.log")
        for name in ("postfix", "queue", "data"):
            os.mkdir(scratch.join(name), 0o755)
        shutil.chown(scratch.join("data"), "postfix")
        values = dict(port=self.port, queue=scratch.join("queue"), data=scratch.join("data"), log=self.log,
                      scratch=scratch.path, sink=sink_port, milter=milter, default=default_action)
        self.tls = self._certificate()
        if self.tls:
            settings += "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = %s\n" % self.tls
        self.main = MAIN.format(**values) + settings
        scratch.write("postfix/main.cf", self.main)
        scratch.write("postfix/master.cf", MASTER.format(**values))
        self.running = False

    def _certificate(self):
        """A key and a certificate that nobody trusts, or None."""
        if not shutil.which("openssl"):
            return None
        path = self.scratch.join("postfix", "tls.pem")
        run = self._run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=mx1.example.org", "-days", "2", "-keyout", path, "-out", path + ".crt")
        if run.returncode != 0:
            return None
        with open(path, "a") as key, open(path + ".crt") as crt:
            key.write(crt.read())
        return path

    def reconfigure(self, settings):
        """The configuration as it was, with these settings instead of earlier ones; in force when it returns."""
        self.scratch.write("postfix/main.cf", self.main + settings)
        self.stop()
        self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _run(self, *args):
        return subprocess.run(args, capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin"))

    def start(self):
        run = self._run("postfix", "-c", self.config, "start")
        self.running = True
        if run.returncode != 0 or not wait_until(lambda: can_connect(self.port), 30):
            self.stop()
            raise RuntimeError("Postfix does not start: %s %s" % (run.stderr, self.log_text()))
        return self

    def stop(self):
        if self.running:
            self.running = False
            self._run("postfix", "-c", self.config, "stop")

    def log_text(self):
        try:
            with open(self.log, errors="backslashreplace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout=10):
        return wait_until(lambda: re.search(pattern, self.log_text()), timeout)

    def held(self):
        """Queue ids on hold, with sender."""
        out = self._run("postqueue", "-c", self.config, "-p").stdout
        return re.findall(r"^([0-9A-Za-z]+)! .* (\S+)$", out, re.M)

    def queue(self):
        return self._run("postqueue", "-c", self.config, "-p").stdout

    def release(self, queue_id):
        """As postern(8) says."""
        self._run("postsuper", "-c", self.config, "-H", queue_id)
        self._run("postqueue", "-c", self.config, "-i", queue_id)

    def held_text(self, queue_id):
        return self._run("postcat", "-c", self.config, "-q", queue_id).stdout

    def drop_held(self):
        self._run("postsuper", "-c", self.config, "-d", "ALL", "hold")
