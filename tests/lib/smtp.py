"""smtp.py - a plain SMTP client, and a sink that takes mail for the MTA under test."""

import socket
import socketserver
import ssl
import threading
import time


class Gone(Exception):
    """The server closed the connection."""


class Reply:
    def __init__(self, lines):
        self.code = int(lines[0][:3])
        self.lines = [l[4:] for l in lines]
        first = self.lines[0].split(" ", 1)
        self.enhanced = first[0] if first[0].count(".") == 2 and first[0].replace(".", "").isdigit() else None

    @property
    def text(self):
        return "\n".join(self.lines)

    def __repr__(self):
        return "%d %s" % (self.code, " / ".join(self.lines))


class Client:
    """ehlo None: nothing is said yet.  xclient: attributes for XCLIENT (ADDR, NAME, HELO), where the MTA has it.
    source: the address to connect from."""

    def __init__(self, port, ehlo="client.example.com", xclient=None, source=None, timeout=60):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.banner = self.reply()
        if xclient:
            self.command("EHLO test.invalid")
            self.banner = self.command("XCLIENT " + " ".join("%s=%s" % i for i in xclient.items()))
        if ehlo:
            self.ehlo(ehlo)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def reply(self):
        lines = []
        while True:
            try:
                line = self.file.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")
            except ConnectionResetError:
                line = ""
            if not line:
                raise Gone()
            lines.append(line)
            if line[3:4] != "-":
                return Reply(lines)

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            raise Gone()

    def command(self, line):
        self.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return self.reply()

    def ehlo(self, name):
        return self.command("EHLO " + name)

    def mail(self, sender, *params):
        return self.command("MAIL FROM:<%s>%s" % (sender, "".join(" " + p for p in params)))

    def rcpt(self, path):
        return self.command("RCPT TO:<%s>" % path)

    def data(self, message):
        """DATA and the message (octets with any line ends); the reply to the dot, or to a refused DATA."""
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        self.send(dotted(message) + b".\r\n")
        return self.reply()

    def start_tls(self):
        """STARTTLS with whatever certificate the server has; EHLO must be said again."""
        reply = self.command("STARTTLS")
        if reply.code == 220:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.file.close()
            self.sock = context.wrap_socket(self.sock)
            self.file = self.sock.makefile("rb")
        return reply

    def rset(self):
        return self.command("RSET")

    def quit(self):
        try:
            return self.command("QUIT")
        except Gone:
            return None

    def gone(self):
        """Has the server hung up?  Waits for it."""
        self.sock.settimeout(10)
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True
        except socket.timeout:
            return False


def dotted(message):
    """CRLF at line ends, a lone CR aside; dots doubled; a last line end."""
    lines = message.replace(b"\r\n", b"\n").split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if l.startswith(b".") else b"") + l + b"\r\n" for l in lines)


class Result:
    """What one transaction was told: mail, rcpts (a list), data (None where it did not come so far)."""

    def __init__(self):
        self.mail = self.data = None
        self.rcpts = []

    @property
    def code(self):
        """The code that decided it."""
        if self.mail.code >= 400:
            return self.mail.code
        if self.data is not None:
            return self.data.code
        return self.rcpts[-1].code

    def __repr__(self):
        return "MAIL %r, RCPT %r, dot %r" % (self.mail, self.rcpts, self.data)


def transaction(client, message, sender="alice@example.com", rcpts=("bob@example.org",), params=()):
    """MAIL, RCPT ..., and the message if a recipient was taken."""
    result = Result()
    result.mail = client.mail(sender, *params)
    if result.mail.code >= 400:
        return result
    for path in rcpts:
        result.rcpts.append(client.rcpt(path))
    if any(r.code < 400 for r in result.rcpts):
        result.data = client.data(message)
    return result


def message(subject="hello", body="A line.\r\n", sender="alice@example.com", headers=()):
    """A plain message; headers: [(name, value)] put after its own."""
    fields = [("From", "Alice <%s>" % sender), ("To", "bob@example.org"), ("Subject", subject),
              ("Date", "Sun, 22 Nov 2026 10:00:00 +0000"), ("Message-ID", "<%s@example.com>" % abs(hash(subject)))]
    fields += list(headers)
    text = "".join("%s: %s\r\n" % f for f in fields if f[1] is not None) + "\r\n" + body
    return text.encode("utf-8", "surrogateescape")


class Delivery:
    """One message as it left the MTA."""

    def __init__(self, sender, rcpts, octets):
        self.sender, self.rcpts, self.octets = sender, rcpts, octets
        head, _, self.body = octets.partition(b"\r\n\r\n")
        self.fields = []        # (name, value with folds undone)
        for line in head.split(b"\r\n"):
            text = line.decode("utf-8", "surrogateescape")
            if line[:1] in b" \t" and self.fields:
                self.fields[-1] = (self.fields[-1][0], self.fields[-1][1] + " " + text.strip())
            else:
                name, _, value = text.partition(":")
                self.fields.append((name, value.strip()))

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def names(self):
        return [n.lower() for n, _ in self.fields]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None


class Sink:
    """An SMTP server on loopback that takes everything and keeps it, by envelope."""

    def __init__(self):
        self.changed = threading.Condition()
        self.mail = []
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                sink._serve(self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _serve(self, rfile, wfile):
        def say(text):
            wfile.write(text.encode() + b"\r\n")
            wfile.flush()
        sender, rcpts = None, []
        try:
            say("220 sink.example.org ESMTP")
            for line in rfile:
                verb = line[:4].upper()
                if verb == b"EHLO":
                    say("250-sink.example.org\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 0")
                elif verb == b"MAIL":
                    sender, rcpts = _path(line), []
                    say("250 ok")
                elif verb == b"RCPT":
                    rcpts.append(_path(line))
                    say("250 ok")
                elif verb == b"DATA":
                    say("354 go on")
                    octets = []
                    for part in rfile:
                        if part == b".\r\n":
                            break
                        octets.append(part[1:] if part.startswith(b".") else part)
                    else:
                        return
                    with self.changed:
                        self.mail.append(Delivery(sender, rcpts, b"".join(octets)))
                        self.changed.notify_all()
                    say("250 taken")
                elif verb == b"QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")
        except OSError:
            return

    def mark(self):
        return len(self.mail)

    def wait(self, wanted, since=0, timeout=20.0):
        """The first delivery from there on for which wanted(delivery) is true, or None."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for delivery in self.mail[since:]:
                    if wanted(delivery):
                        return delivery
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self.changed.wait(left)

    def wait_subject(self, text, since=0, timeout=20.0):
        return self.wait(lambda d: text in (d.get("Subject") or ""), since, timeout)

    def wait_count(self, count, since=0, timeout=60.0):
        with self.changed:
            self.changed.wait_for(lambda: len(self.mail) - since >= count, timeout)
            return len(self.mail) - since

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def _path(line):
    text = line.decode("utf-8", "surrogateescape")
    return text[text.index("<") + 1:text.index(">")]
