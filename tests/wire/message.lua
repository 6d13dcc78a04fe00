-- rules: lua
-- What becomes of whole messages, several of them in one session.

function must(condition, what)
	if not condition then error(what) end
end

conn = mt.connect(socket)
must(conn, "no connection")
must(mt.conninfo(conn, "mail.example.com", "192.0.2.7") == nil, "conninfo")
must(mt.helo(conn, "mail.example.com") == nil, "helo")

function message(subject, body)
	must(mt.mailfrom(conn, "<alice@example.com>") == nil, "MAIL")
	must(mt.rcptto(conn, "<bob@example.org>") == nil, "RCPT")
	must(mt.getreply(conn) == SMFIR_CONTINUE, "RCPT is answered")
	must(mt.header(conn, "From", " alice@example.com") == nil, "From")
	must(mt.header(conn, "Authentication-Results", " mx.example.org; spf=pass") == nil, "forged results")
	must(mt.header(conn, "X-Gone", " 1") == nil, "X-Gone")
	must(mt.header(conn, "Subject", " " .. subject) == nil, "Subject")
	must(mt.eoh(conn) == nil, "end of header")
	must(mt.bodystring(conn, body .. "\r\n") == nil, "body")
	must(mt.eom(conn) == nil, "end of message")
	return mt.getreply(conn)
end

function passes(reply)
	return reply == SMFIR_CONTINUE or reply == SMFIR_ACCEPT
end

must(passes(message("plain", "hello")), "a plain message passes")
must(mt.eom_check(conn, MT_HDRCHANGE, "Subject", " [T] plain"), "its subject is tagged")
must(mt.eom_check(conn, MT_HDRADD, "X-Marked", " yes"), "a field is added")
must(mt.eom_check(conn, MT_HDRDELETE, "X-Gone"), "one is removed")
must(mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results"), "forged results are removed")
must(mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"), "ours are inserted")
must(not mt.eom_check(conn, MT_QUARANTINE), "it is not held")
must(not mt.eom_check(conn, MT_BODYCHANGE), "the body is left alone")
must(not mt.eom_check(conn, MT_RCPTADD, "<copy@example.net>"), "no recipient is added")

must(passes(message("hold and copy this", "hello")), "a held message is taken")
must(mt.eom_check(conn, MT_RCPTADD, "<copy@example.net>"), "and copied")
-- That it is held is for replies.py: miltertest compares the reason with nothing.

must(message("drop this", "hello") == SMFIR_DISCARD, "a message is discarded")

must(message("poison", "a poison inside") == SMFIR_REPLYCODE, "a message is refused for its body")
must(mt.eom_check(conn, MT_SMTPREPLY, "554", "5.7.1", "Poison"), "in the rule's words")

must(passes(message("again", "hello")), "the session goes on")
must(not mt.eom_check(conn, MT_QUARANTINE), "and has forgotten what was before")
mt.disconnect(conn)
