"""signing.py - DKIM signatures (RFC 6376, relaxed/relaxed, rsa-sha256) by openssl(1), for tests."""

import base64
import hashlib
import re
import subprocess


class Key:
    """A new key, its secret half in the file `path`."""

    def __init__(self, path):
        self.path = path
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout
        self.record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()

    def sign(self, text):
        return base64.b64encode(subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=text.encode(),
                                               capture_output=True, check=True).stdout).decode()


def relaxed(name, value):
    value = re.sub(r"\r\n(?=[ \t])", "", value)
    return "%s:%s" % (name.lower(), re.sub(r"[ \t]+", " ", value).strip())


def signature(key, domain, selector, names, fields, body, tags=""):
    """The value of DKIM-Signature over the fields (name, value) that `names` names, each once, and the body."""
    lines = [re.sub(r"[ \t]+", " ", line).rstrip(" ") for line in body.split("\r\n")]
    canonical = "\r\n".join(lines).rstrip("\r\n") + "\r\n"
    have = dict(fields)
    value = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=%s;%s\r\n\th=%s;\r\n\tbh=%s;\r\n\tb=" % (
        domain, selector, tags, ":".join(names),
        base64.b64encode(hashlib.sha256(canonical.encode()).digest()).decode())
    text = "".join(relaxed(n, have[n]) + "\r\n" for n in names if n in have) + relaxed("DKIM-Signature", value)
    b = key.sign(text)
    return value + "\r\n\t ".join(b[i:i + 72] for i in range(0, len(b), 72))
