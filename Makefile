# loopscope: an oscilloscope for event loops.   make help
B       ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
OPT     ?= -O2 -g
SAN     ?=
CFLAGS  ?=
CPPFLAGS ?=
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DLOOPSCOPE_VERSION='"$(VERSION)"' -Iinclude -I. -I$(B)/gen $(WARN) $(WERROR) $(OPT) $(SAN) -MMD -MP $(CPPFLAGS) $(CFLAGS)

# One variable a library; a new file in a folder needs no edit here.
PROBE   := $(wildcard tracer/probe/*.c)
PRELOAD := $(wildcard tracer/preload/*.c)
RUNTIME := $(wildcard runtime/*.c runtime/*.S)
RECORD  := $(wildcard tracer/record/*.c)
VIEWER  := $(wildcard viewer/*.c viewer/tui/*.c)
CLI     := $(wildcard cli/*.c)
EXAMPLES := $(wildcard examples/*.c)
UNIT    := $(wildcard tests/unit/test_*.c)
PLAIN   := $(wildcard tests/race/*.c tests/targets/*.c tests/truth/*.c)
BENCH   := $(wildcard bench/*.c)

objs     = $(patsubst %.c,$(B)/$(2)/%.o,$(filter %.c,$(1))) $(patsubst %.S,$(B)/$(2)/%.o,$(filter %.S,$(1)))
# Code in the target is position independent, hides what is not public, and uses TLS that needs no allocation.
PIC     := -fPIC -fvisibility=hidden -ftls-model=initial-exec
RECORD_LIBS := -lunwind-x86_64 -ldw -lelf -lsqlite3 -lpthread
ifeq ($(shell uname -m),aarch64)
RECORD_LIBS := -lunwind-aarch64 -ldw -lelf -lsqlite3 -lpthread
endif
VIEWER_LIBS := -lncursesw -ltinfo

.DEFAULT_GOAL := all
LIBS_OUT := $(B)/libloopscope.so $(B)/libloopscope-preload.so $(B)/libloopscope-rt.a
all: $(B)/loopscope $(LIBS_OUT) examples ## build the tool, the libraries and the examples into build/

$(B)/gen/schema.inc: tracer/record/schema.sql
	@mkdir -p $(@D)
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $< > $@

$(B)/obj/%.o: %.c | $(B)/gen/schema.inc
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(EXTRA_$(subst /,_,$(dir $<))) -c $< -o $@
$(B)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(PIC) -c $< -o $@
$(B)/pic/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fPIC -c $< -o $@

$(B)/libloopscope.so: $(call objs,$(PROBE),pic) tracer/probe/probe.map
	$(CC) $(SAN) -shared -Wl,-soname,libloopscope.so.1 -Wl,--version-script=tracer/probe/probe.map -Wl,-z,now -o $@ $(filter %.o,$^)
	ln -sf libloopscope.so $(B)/libloopscope.so.1
$(B)/libloopscope-preload.so: $(call objs,$(PRELOAD) $(PROBE),pic) tracer/preload/preload.map
	$(CC) $(SAN) -shared -Wl,-soname,libloopscope-preload.so -Wl,--version-script=tracer/preload/preload.map -Wl,-z,now -Wl,-z,nodelete -o $@ $(filter %.o,$^) -ldl
$(B)/libloopscope-rt.a: $(call objs,$(RUNTIME),pic)
	rm -f $@; $(AR) rcs $@ $^
$(B)/librecord.a: $(call objs,$(RECORD),obj)
	rm -f $@; $(AR) rcs $@ $^
$(B)/libviewer.a: $(call objs,$(VIEWER),obj)
	rm -f $@; $(AR) rcs $@ $^
$(B)/loopscope: $(call objs,$(CLI),obj) $(B)/librecord.a $(B)/libviewer.a
	$(CC) $(SAN) $(OPT) -o $@ $(filter %.o,$^) $(B)/libviewer.a $(B)/librecord.a $(RECORD_LIBS) $(VIEWER_LIBS)

# Programs linked against the runtime, as a user links them.
LINK_RT = -L$(B) -lloopscope-rt -lloopscope -lpthread -Wl,-rpath,'$$ORIGIN/..:$$ORIGIN/../..'
examples: $(patsubst examples/%.c,$(B)/examples/%,$(EXAMPLES))
$(B)/examples/%: examples/%.c $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(LINK_RT)

# Tests: Criterion for units; plain programs for races and targets.
TESTLIB := $(call objs,$(wildcard tests/lib/*.c),obj)
$(B)/tests/unit/%: tests/unit/%.c $(TESTLIB) $(B)/librecord.a $(B)/libviewer.a $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(TESTLIB) $(B)/libviewer.a $(B)/librecord.a $(LINK_RT) $(RECORD_LIBS) $(VIEWER_LIBS) -lcriterion -lm
unit-programs: $(patsubst %.c,$(B)/%,$(UNIT))
test-programs: $(patsubst %.c,$(B)/%,$(PLAIN))
$(B)/tests/%: tests/%.c $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(LINK_RT) $(shell sed -n 's/^ \* link: //p' $<)
$(B)/bench/%: bench/%.c $(LIBS_OUT) $(B)/librecord.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(B)/librecord.a $(LINK_RT) $(RECORD_LIBS) -lm $(shell sed -n 's/^ \* link: //p' $<)

clean: ## remove build/
	rm -rf $(B)

.PHONY: all examples unit-programs test-programs clean
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
