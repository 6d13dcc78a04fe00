"""peers.py - other filters with the same work, as Debian packages them: each
with a configuration of its own in the scratch directory, on loopback, asking
the benchmark's name server."""

import shutil

from filters import Filter
from material import KEY_NAME


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        raise RuntimeError("%s is not installed" % name)
    return path


def opendkim(scratch, material, port):
    keys = scratch.write("opendkim.keys", "%s %s\n" % (KEY_NAME, material.key_record))
    sock = scratch.join("opendkim.sock")
    conf = scratch.write("opendkim.conf", "Mode v\nSyslog yes\nBackground no\nSocket local:%s\n"
                         "AlwaysAddARHeader no\nTestPublicKeys %s\n" % (sock, keys))
    return Filter(scratch, "opendkim", [program("opendkim"), "-f", "-x", conf], sock=sock)


def opendmarc(scratch, material, port):
    sock = scratch.join("opendmarc.sock")
    conf = scratch.write("opendmarc.conf", "Syslog true\nBackground false\nSocket local:%s\n"
                         "SPFSelfValidate true\nSPFIgnoreResults true\nRejectFailures false\n" % sock)
    return Filter(scratch, "opendmarc", [program("opendmarc"), "-f", "-c", conf], sock=sock)


STARTS = {"opendkim": opendkim, "opendmarc": opendmarc}


def start(scratch, name, material, port):
    if name not in STARTS:
        raise RuntimeError("no such filter is known: %s" % name)
    return STARTS[name](scratch, material, port)
