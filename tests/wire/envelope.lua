-- rules: lua
-- Refusals of the envelope, and the session after them.  Their texts are for
-- replies.py: miltertest keeps only what comes at the end of a message.

function must(condition, what)
	if not condition then error(what) end
end

function open(helo)
	local conn = mt.connect(socket)
	must(conn, "no connection")
	must(mt.conninfo(conn, "mail.example.com", "192.0.2.7") == nil, "conninfo")
	must(mt.helo(conn, helo) == nil, "helo")
	return conn
end

conn = open("mail.example.com")
mt.macro(conn, SMFIC_MAIL, "i", "q1")
must(mt.mailfrom(conn, "<bad@example.com>") == nil, "MAIL")
must(mt.rcptto(conn, "<bob@example.org>") == nil, "RCPT")
must(mt.getreply(conn) == SMFIR_REPLYCODE, "the sender is refused at RCPT")

mt.abort(conn)
must(mt.mailfrom(conn, "<alice@example.com>") == nil, "MAIL again")
must(mt.rcptto(conn, "<nobody@example.org>") == nil, "RCPT")
must(mt.getreply(conn) == SMFIR_REPLYCODE, "an unknown recipient")
must(mt.rcptto(conn, "<busy@example.org>") == nil, "RCPT")
must(mt.getreply(conn) == SMFIR_REPLYCODE, "a busy recipient")
must(mt.rcptto(conn, "<bob@example.org>") == nil, "RCPT")
must(mt.getreply(conn) == SMFIR_CONTINUE, "a good recipient")
mt.disconnect(conn)

conn = open("50%.example")
must(mt.mailfrom(conn, "<alice@example.com>") == nil, "MAIL")
must(mt.rcptto(conn, "<bob@example.org>") == nil, "RCPT")
must(mt.getreply(conn) == SMFIR_REPLYCODE, "a HELO with a percent sign")
mt.disconnect(conn)
