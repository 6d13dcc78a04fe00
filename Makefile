# postern - a policy milter for Postfix and Sendmail.  `make help` lists the targets.

VERSION	= 0.1.0
BUILD	?= build
SUITES	?= ../shared/suites

prefix	?= /usr/local
exec_prefix ?= $(prefix)
sbindir	?= $(exec_prefix)/sbin
datarootdir ?= $(prefix)/share
mandir	?= $(datarootdir)/man
docdir	?= $(datarootdir)/doc/postern
sysconfdir ?= /etc
unitdir	?= $(prefix)/lib/systemd/system

CC	?= cc
AR	?= ar
CFLAGS	?= -O2 -g
INSTALL	?= install
JOBS	?= 2

WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wvla -Wformat=2 -Wwrite-strings -Wcast-qual
HARDEN	= -fstack-protector-strong -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
HARDEN_LD = -pie -Wl,-z,relro,-z,now
SANITIZE =

# Optional: many patterns at the cost of few; "make HS=" builds without.
HS	   := $(shell pkg-config --exists libhs 2>/dev/null && echo libhs)
HS_CFLAGS  := $(if $(HS),-DHAVE_HS $(shell pkg-config --cflags $(HS)))
PKGS_RULES  = libpcre2-8 libidn2 $(HS)
PKGS	    = $(PKGS_RULES) libpsl libmagic zlib libunbound opendkim libmaxminddb libcdb lmdb hiredis libcrypto milter
LIBS_RULES := $(shell pkg-config --libs $(PKGS_RULES) 2>/dev/null)
LIBS	   := -lspf2 $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lpthread
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

MISSING    := $(shell for p in $(PKGS); do pkg-config --libs $$p >/dev/null 2>&1 || echo $$p; done)

OUR_CPPFLAGS = -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	-DSYSCONFDIR='"$(sysconfdir)"' -I. $(HS_CFLAGS) $(PKG_CFLAGS)
OUR_CFLAGS   = -std=c11 $(WARN) $(HARDEN) $(SANITIZE)
OUR_LDFLAGS  = $(HARDEN_LD) $(SANITIZE)

RULES_SRCS  := $(sort $(wildcard rules/*.c))
FILTER_SRCS := $(sort $(wildcard filter/*.c))
UNIT_SRCS   := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRCS   := $(sort $(wildcard tests/fuzz/fuzz_*.c))
TOOL_SRCS   := $(sort $(wildcard tests/conformance/*_tool.c)) tests/property/property.c \
	tests/lang/lang.c tests/replay/replay.c
RULES_OBJS  := $(RULES_SRCS:%.c=$(BUILD)/%.o)
FILTER_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out filter/main.c,$(FILTER_SRCS)))
UNIT	    := $(UNIT_SRCS:%.c=$(BUILD)/%)
BENCHES	    := $(patsubst %,$(BUILD)/tests/bench/bench_%,tables patterns resolver)
TOOLS	    := $(TOOL_SRCS:%.c=$(BUILD)/%)
FUZZ	    := $(FUZZ_SRCS:%.c=$(BUILD)/%)
SEEDS	    := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/tests/seeds/%)
MAN	    := $(BUILD)/man/postern.8 $(BUILD)/man/postern-rules.5

all: found $(BUILD)/postern $(MAN)

# One line instead of a screenful.
found:
	@[ -z "$(MISSING)" ] || { echo "Not installed: $(MISSING); run: make deps" >&2; exit 1; }

$(BUILD)/postern: $(BUILD)/filter/main.o $(BUILD)/libfilter.a $(BUILD)/librules.a
	$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/librules.a: $(RULES_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libfilter.a: $(FILTER_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(OUR_CPPFLAGS) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Each test and tool is one source with the libraries.
$(UNIT) $(TOOLS) $(BENCHES): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libfilter.a $(BUILD)/librules.a
	$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

# They count allocations of ours, or let them fail: only calls from what is linked in here are wrapped.
$(BUILD)/tests/unit/test_calls $(BUILD)/tests/unit/test_no_memory: OUR_LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray)
comma := ,

# ---- Manual pages: the tables in them come from the .def files ----

$(BUILD)/man/tables: man/tables.c rules/facts.def rules/actions.def rules/settings.def rules/facts.h
	@mkdir -p $(@D)
	$(CC) $(OUR_CPPFLAGS) -o $@ man/tables.c

$(BUILD)/man/%: man/%.in $(BUILD)/man/tables
	@mkdir -p $(@D)
	sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@SYSCONFDIR@|$(sysconfdir)|g' \
	    -e '/^@FACTS@$$/{s/.*//;e $(BUILD)/man/tables facts' -e 'd}' \
	    -e '/^@ACTIONS@$$/{s/.*//;e $(BUILD)/man/tables actions' -e 'd}' \
	    -e '/^@FIXED@$$/{s/.*//;e $(BUILD)/man/tables fixed' -e 'd}' \
	    -e '/^@SETTINGS@$$/{s/.*//;e $(BUILD)/man/tables settings' -e 'd}' $< > $@.new
	mv $@.new $@

man: $(MAN)

# ---- Running it ----

# What is missing is shown, then installed; NO_DEPS=1 leaves the system alone.
deps:
	@[ -n "$(NO_DEPS)" ] || contrib/deps build

deps-check:
	@[ -n "$(NO_DEPS)" ] || contrib/deps build check
	@[ -n "$(NO_DEPS)" ] || tests/e2e/fetch-sendmail $(BUILD)/sendmail

run: deps
	@$(MAKE) -j $(JOBS) --no-print-directory all
	@contrib/run $(BUILD)/postern rules.example

demo: deps-check
	@$(MAKE) -j $(JOBS) --no-print-directory all
	@POSTERN=$(BUILD)/postern contrib/demo/demo.py

# ---- Checking it ----

TEST_ENV = POSTERN=$(BUILD)/postern BUILD=$(BUILD) SUITES=$(SUITES) \
	CMOCKA_MESSAGE_OUTPUT=TAP PYTHONDONTWRITEBYTECODE=1
# prove takes anything that prints TAP; env starts it whatever it is written in.
PROVE	 = $(TEST_ENV) prove --exec env --timer -j $(JOBS)

TESTS_FAST = $(UNIT) $(BUILD)/tests/property/property tests/lang/lang.sh tests/replay/replay.sh \
	$(wildcard tests/docs/*.py tests/commands/*.py)
TESTS_SUITES = tests/conformance/suites.py tests/conformance/parts.py
TESTS_WIRE = $(wildcard tests/wire/*.py)
TESTS_E2E  = tests/e2e/postfix.py tests/e2e/sendmail.py

check: deps-check
	@$(MAKE) -j $(JOBS) --no-print-directory check-built

check-built: all $(UNIT) $(TOOLS) $(SEEDS) check-layers
	@$(PROVE) $(TESTS_E2E) $(TESTS_WIRE) $(TESTS_SUITES) $(TESTS_FAST) tests/fuzz/seeds.sh

check-fast: all $(UNIT) $(TOOLS)
	@$(PROVE) $(TESTS_FAST)

check-wire: all
	@$(PROVE) $(TESTS_WIRE)

check-e2e: all
	@$(PROVE) -v $(TESTS_E2E)

# The same under the sanitizers: all but the MTAs.
check-asan: deps-check
	@ASAN_OPTIONS=detect_leaks=1 \
	 $(MAKE) -j $(JOBS) --no-print-directory BUILD=$(BUILD)/asan NO_DEPS=1 \
	    SANITIZE='-fsanitize=address,undefined -fno-omit-frame-pointer' CFLAGS='-O1 -g' sanitized

check-tsan: deps-check
	@$(MAKE) -j $(JOBS) --no-print-directory BUILD=$(BUILD)/tsan NO_DEPS=1 \
	    SANITIZE=-fsanitize=thread CFLAGS='-O1 -g' sanitized

sanitized: all $(UNIT) $(TOOLS)
	@$(PROVE) $(TESTS_WIRE) $(TESTS_SUITES) $(TESTS_FAST)

# Dependencies point one way: filter, rules, libraries.
check-layers: $(BUILD)/librules.a
	@tests/layers $(BUILD)/librules.a

# Every suite in $(SUITES), with each case that is not right.
conformance: all $(TOOLS)
	@$(TEST_ENV) tests/conformance/suites.py

# Renews the expected files of the language tests: look at the diff.
accept: $(TOOLS)
	@$(TEST_ENV) tests/lang/lang.sh --accept

# The same fuzz sources: as libFuzzer programs (make fuzz), and run over their seeds (make check).
$(BUILD)/tests/seeds/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/seeds.o $(BUILD)/libfilter.a $(BUILD)/librules.a
	@mkdir -p $(@D)
	$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(FUZZ): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libfilter.a $(BUILD)/librules.a
	$(CC) $(OUR_LDFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS)

FUZZ_SECONDS ?= 600
fuzz: deps-check
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang HARDEN=-fPIE \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined' CFLAGS='-O1 -g' fuzz-run

fuzz-run: $(FUZZ)
	@SUITES=$(SUITES) tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ)

# What a message costs, beside the floor: BENCH_SECONDS, BENCH_ROUNDS, BENCH_ONLY, PEERS, BASE as in tests/bench/bench.py;
# BENCH_FORMAT=markdown or json instead of lines as they come.
$(BUILD)/tests/bench/load: $(BUILD)/tests/bench/load.o
	$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ -lpthread

$(BUILD)/tests/bench/floor: $(BUILD)/tests/bench/floor.o
	$(CC) $(OUR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs milter) -lpthread

bench: deps-check
	@$(MAKE) --no-print-directory -s all $(BENCHES) $(BUILD)/tests/bench/load $(BUILD)/tests/bench/floor >&2
	@$(TEST_ENV) PEERS='$(PEERS)' BASE='$(BASE)' tests/bench/bench.py $(BENCH_FORMAT:%=--%)

# Lists of a million entries: how long they load, how much they hold, what a question takes.
bench-tables: $(BUILD)/tests/bench/bench_tables
	@$<

# What an answer of the DNS costs that is remembered.
bench-resolver: $(BUILD)/tests/bench/bench_resolver
	@$<

# 10 to 10,000 patterns, with and without the prefilter.
bench-patterns: $(BUILD)/tests/bench/bench_patterns
	@$< $(wildcard $(SUITES)/rules/*.tsv)

# For the shell, with the quotes that are in it.
quoted = '$(subst ','\'',$(1))'

# New random cases each time, ten times as many.
property: $(BUILD)/tests/property/property
	@PROPERTY_SEED=$$(date +%s) PROPERTY_CASES=200000 $<

lint: deps-check
	@$(MAKE) --no-print-directory $(MAN)
	@CPPFLAGS=$(call quoted,$(OUR_CPPFLAGS)) CFLAGS="-std=c11 $(WARN)" MAN="$(MAN)" JOBS=$(JOBS) tests/lint

# ---- Installing it ----

DOCS = README.md NEWS.md CONFORMANCE.md BENCHMARKS.md ARCHITECTURE.md HACKING.md LICENSE rules.example
RECIPES = $(wildcard contrib/recipes/*)
recipedir = $(docdir)/examples/recipes

install: all
	$(INSTALL) -d $(DESTDIR)$(sbindir) $(DESTDIR)$(mandir)/man8 $(DESTDIR)$(mandir)/man5 \
	    $(DESTDIR)$(docdir) $(DESTDIR)$(recipedir) $(DESTDIR)$(unitdir) $(DESTDIR)$(sysconfdir)/postern
	$(INSTALL) -m 755 $(BUILD)/postern $(DESTDIR)$(sbindir)/postern
	$(INSTALL) -m 644 $(BUILD)/man/postern.8 $(DESTDIR)$(mandir)/man8/postern.8
	$(INSTALL) -m 644 $(BUILD)/man/postern-rules.5 $(DESTDIR)$(mandir)/man5/postern-rules.5
	$(INSTALL) -m 644 $(DOCS) $(DESTDIR)$(docdir)
	$(INSTALL) -m 644 $(RECIPES) $(DESTDIR)$(recipedir)
	sed 's|@SBINDIR@|$(sbindir)|g; s|@SYSCONFDIR@|$(sysconfdir)|g' contrib/postern.service.in \
	    > $(BUILD)/postern.service
	$(INSTALL) -m 644 $(BUILD)/postern.service $(DESTDIR)$(unitdir)/postern.service
	@[ -e $(DESTDIR)$(sysconfdir)/postern/rules ] || \
	    echo "Now: cp $(docdir)/rules.example $(sysconfdir)/postern/rules, and edit it"

# The operator's rules stay.
uninstall:
	rm -f $(DESTDIR)$(sbindir)/postern $(DESTDIR)$(mandir)/man8/postern.8 \
	    $(DESTDIR)$(mandir)/man5/postern-rules.5 $(DESTDIR)$(unitdir)/postern.service
	rm -f $(DOCS:%=$(DESTDIR)$(docdir)/%) $(RECIPES:contrib/recipes/%=$(DESTDIR)$(recipedir)/%)
	-rmdir $(DESTDIR)$(recipedir) $(DESTDIR)$(docdir)/examples $(DESTDIR)$(docdir) 2>/dev/null

# What git knows, under a folder with the version in its name.
DIST = postern-$(VERSION)
dist:
	@mkdir -p $(BUILD)
	git archive --prefix=$(DIST)/ -o $(BUILD)/$(DIST).tar.gz HEAD
	@echo $(BUILD)/$(DIST).tar.gz

clean:
	rm -rf $(BUILD)

help:
	@echo 'make               build $(BUILD)/postern'
	@echo 'make run           install what is missing, build, run with rules.example'
	@echo 'make check         install what is missing, build, run all tests'
	@echo 'make demo          a scratch Postfix with postern, a few messages, each verdict'
	@echo 'make install       DESTDIR=, prefix=, sbindir=, mandir=, sysconfdir= as usual; uninstall'
	@echo 'make dist          a source archive of HEAD'
	@echo 'make check-fast    units, language, property, replay; also check-wire, check-e2e'
	@echo 'make check-asan    the tests under AddressSanitizer and UBSan; check-tsan: threads'
	@echo 'make check-layers  who may include and link what'
	@echo 'make conformance   the standard suites in SUITES=$(SUITES), case by case'
	@echo 'make property      200,000 new random cases of the property test'
	@echo 'make fuzz          each fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS)'
	@echo 'make bench         what a message costs; PEERS="opendkim opendmarc rspamd", BASE=revision beside it'
	@echo 'make bench-tables  lists of a million entries: loading, memory, questions'
	@echo 'make bench-resolver  an answer of the DNS that is remembered'
	@echo 'make bench-patterns  10 to 10,000 patterns: loading, a message of 20 KB'
	@echo 'make lint          gcc, clang and cppcheck without a warning; manual pages, scripts'
	@echo 'make accept        renew the expected files of the language tests'
	@echo 'make man           the manual pages; make clean removes $(BUILD)'
	@echo 'NO_DEPS=1          install nothing'

.PHONY: all found man deps deps-check run demo check check-built check-fast check-wire check-e2e \
	check-asan check-tsan sanitized check-layers conformance accept fuzz fuzz-run bench bench-tables bench-patterns bench-resolver lint \
	install uninstall dist clean help
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
