"""peers.py - other filters with the same work, as Debian packages them: each
with a configuration of its own in the scratch directory, on loopback, asking
the benchmark's name server.

opendmarc asks the name server of /etc/resolv.conf: it gets one of its own, in a
mount namespace, for which the benchmark must be root's."""

import os
import shutil

from filters import Filter
from material import KEY_NAME

RSPAMD = """\
options {
    filters = "%(filters)s";
    dns { nameserver = ["127.0.0.1:%(port)d"]; timeout = 2s; }
    local_addrs = [];
    tempdir = "%(dir)s"; pidfile = "%(dir)s/pid"; url_tld = "${SHAREDIR}/effective_tld_names.dat";
    hs_cache_dir = "%(dir)s";
}
logging { type = "file"; filename = "%(dir)s/log"; level = "notice"; }
worker "rspamd_proxy" {
    bind_socket = "%(sock)s mode=0666"; milter = yes; timeout = 120s; count = 1;
    upstream "local" { default = yes; self_scan = yes; }
}
actions { reject = 1000; add_header = 900; }
%(modules)s
%(extra)s
"""
LUA = 'modules { path = "${PLUGINSDIR}/"; }\nlua = "%s";\n'


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        raise RuntimeError("%s is not installed" % name)
    return path


def opendkim(scratch, bench, line):
    keys = scratch.write("opendkim.keys", "%s %s\n" % (KEY_NAME, bench.material.key_record))
    sock = scratch.join("opendkim.sock")
    conf = scratch.write("opendkim.conf", "Mode v\nSyslog yes\nBackground no\nSocket local:%s\nUMask 000\n"
                         "TestPublicKeys %s\n" % (sock, keys))
    return Filter(scratch, "opendkim", [program("opendkim"), "-f", "-x", conf], sock=sock)


def opendmarc(scratch, bench, line):
    sock = scratch.join("opendmarc.sock")
    conf = scratch.write("opendmarc.conf", "Syslog true\nBackground false\nSocket local:%s\n"
                         "SPFSelfValidate true\nSPFIgnoreResults true\nRejectFailures false\n" % sock)
    resolv = scratch.write("resolv.conf", "nameserver %s\n" % bench.well_known.address)
    script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
    return Filter(scratch, "opendmarc", ["unshare", "-m", "sh", "-c", script, "sh", resolv, program("opendmarc"), "-f",
                                         "-c", conf], sock=sock)


def rspamd(scratch, bench, line):
    """With the modules that the line needs, and no rules but its patterns."""
    directory = scratch.join("rspamd")
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o777)
    sock = scratch.join("rspamd.sock")
    wanted = {"SPF": ["spf"], "DKIM": ["dkim"], "patterns": ["regexp"]}.get(line.kind, ["spf", "dkim", "dmarc"])
    extra = "".join("%s { }\n" % w for w in wanted if w != "regexp")
    modules = ""
    if "spf" in wanted or "dmarc" in wanted:
        empty = scratch.write("empty.lua", "")
        modules = LUA % empty
    if line.patterns:
        lua = scratch.write("patterns.lua", "config['regexp'] = config['regexp'] or {}\nlocal reconf = config['regexp']\n" + "".join(
            "reconf['P%d'] = { re = %s, score = 0.0, group = 'p' }\n" % (i, lua_string(rspamd_pattern(*p)))
            for i, p in enumerate(line.patterns)))
        modules = 'lua = "%s";\n' % lua
        extra = "regexp { }\n"
    conf = scratch.write("rspamd.conf", RSPAMD % {
        "filters": ",".join(w for w in wanted if w in ("dkim", "regexp")), "port": bench.server.port,
        "dir": directory, "sock": sock, "modules": modules, "extra": extra})
    return Filter(scratch, "rspamd", [program("rspamd"), "-f", "-i", "-c", conf], sock=sock)


def rspamd_pattern(fact, pattern, flags):
    """An rspamd regular expression atom."""
    if fact == "subject":
        return "Subject=/%s/%sH" % (pattern, flags)
    if fact.startswith("header"):
        return "%s=/%s/%sH" % (fact.split('"')[1], pattern, flags)
    return "/%s/%s{%s}" % (pattern, flags, "sa_raw_body" if fact == "raw.body" else "sa_body")


def lua_string(text):
    return "[==[" + text + "]==]"


STARTS = {"opendkim": opendkim, "opendmarc": opendmarc, "rspamd": rspamd}


def start(scratch, name, bench, line):
    return STARTS[name](scratch, bench, line)
