# postern - a policy milter for Postfix and Sendmail
#
#	make			build/postern
#	make help		the targets

VERSION	= 0.1.0
BUILD	?= build
SUITES	?= ../shared/suites

prefix	?= /usr/local
sbindir	?= $(prefix)/sbin
mandir	?= $(prefix)/share/man
docdir	?= $(prefix)/share/doc/postern
sysconfdir ?= $(prefix)/etc
unitdir	?= $(prefix)/lib/systemd/system

CC	?= cc
CFLAGS	?= -O2 -g
AR	?= ar
INSTALL	?= install

WARN	= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wvla -Wformat=2 -Wwrite-strings -Wcast-qual
HARDEN	= -fstack-protector-strong -fPIE
HARDEN_LD = -pie -Wl,-z,relro,-z,now
FORTIFY	= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
EXTRA	=

PKGS_RULES  = libpcre2-8 libidn2
PKGS_FILTER = libunbound opendkim libcrypto libsystemd
pkg	= $(shell pkg-config $(1) $(2) 2>/dev/null)

POSTERN_CPPFLAGS = -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -I. $(call pkg,--cflags,$(PKGS_RULES) $(PKGS_FILTER))
POSTERN_CFLAGS	 = -std=c11 $(WARN) $(HARDEN) $(FORTIFY) $(EXTRA)
POSTERN_LDFLAGS	 = $(HARDEN_LD) $(EXTRA)
LIBS_RULES	 = $(call pkg,--libs,$(PKGS_RULES))
LIBS		 = -lmilter -lspf2 $(call pkg,--libs,$(PKGS_FILTER)) $(LIBS_RULES) -lpthread

RULES_OBJS  = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard rules/*.c)))
FILTER_OBJS = $(patsubst %.c,$(BUILD)/%.o,$(filter-out filter/main.c,$(sort $(wildcard filter/*.c))))
UNIT	    = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard tests/unit/test_*.c)))

all: $(BUILD)/postern

$(BUILD)/postern: $(BUILD)/filter/main.o $(FILTER_OBJS) $(BUILD)/librules.a
	$(CC) $(POSTERN_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/librules.a: $(RULES_OBJS)
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(POSTERN_CPPFLAGS) $(CPPFLAGS) $(POSTERN_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(FILTER_OBJS) $(BUILD)/librules.a
	$(CC) $(POSTERN_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

unit: $(UNIT)

clean:
	rm -rf $(BUILD)

.PHONY: all unit clean
.SECONDARY:

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
