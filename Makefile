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
RUNTIME := $(wildcard runtime/*/*.c runtime/*/*.S)
RECORD  := $(wildcard tracer/record/*.c)
VIEWER  := $(wildcard viewer/*.c viewer/tui/*.c)
CLI     := $(wildcard cli/*.c)
EXAMPLES := $(wildcard examples/*.c)

objs     = $(patsubst %.c,$(B)/$(2)/%.o,$(filter %.c,$(1))) $(patsubst %.S,$(B)/$(2)/%.o,$(filter %.S,$(1)))
# Code in the target is position independent, hides what is not public, and uses TLS that needs no allocation.
PIC     := -fPIC -fvisibility=hidden -ftls-model=initial-exec
RECORD_LIBS := -lunwind-x86_64 -ldw -lelf -lsqlite3 -lpthread
ifeq ($(shell uname -m),aarch64)
RECORD_LIBS := -lunwind-aarch64 -ldw -lelf -lsqlite3 -lpthread
endif
VIEWER_LIBS := -lncursesw -ltinfo -ljansson

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
	$(CC) $(SAN) -shared -Wl,-soname,libloopscope.so.1 -Wl,--version-script=tracer/probe/probe.map -Wl,-z,now -Wl,-z,nodelete -o $@ $(filter %.o,$^)
	ln -sf libloopscope.so $(B)/libloopscope.so.1
$(B)/libloopscope-preload.so: $(call objs,$(PRELOAD) $(PROBE),pic) tracer/preload/preload.map
	$(CC) $(SAN) -shared -Wl,-soname,libloopscope-preload.so -Wl,--version-script=tracer/preload/preload.map -Wl,-z,now -Wl,-z,nodelete -o $@ $(filter %.o,$^) -ldl
$(B)/libloopscope-rt.a: $(call objs,$(RUNTIME),pic)
	rm -f $@; $(AR) rcs $@ $^
$(B)/librecord.a: $(call objs,$(RECORD),obj)
	rm -f $@; $(AR) rcs $@ $^
$(B)/libviewer.a: $(call objs,$(VIEWER),obj)
	rm -f $@; $(AR) qcs $@ $^ # q: viewer/ and viewer/tui/ have files of one name
$(B)/libcli.a: $(call objs,$(filter-out cli/main.c,$(CLI)),obj)
	rm -f $@; $(AR) rcs $@ $^
$(B)/loopscope: $(call objs,$(CLI),obj) $(B)/librecord.a $(B)/libviewer.a
	$(CC) $(SAN) $(OPT) -o $@ $(filter %.o,$^) $(B)/libviewer.a $(B)/librecord.a $(RECORD_LIBS) $(VIEWER_LIBS) -lm

# Programs linked against the runtime, as a user links them.
LINK_RT = -L$(B) -lloopscope-rt -lloopscope -lpthread -Wl,-rpath,'$$ORIGIN/..:$$ORIGIN/../..'
examples: $(patsubst examples/%.c,$(B)/examples/%,$(EXAMPLES))
$(B)/examples/%: examples/%.c $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(LINK_RT)

programs = $(patsubst %.c,$(B)/%,$(wildcard $(1)))
UNITS   := $(call programs,tests/unit/test_*.c)
RACES   := $(call programs,tests/race/*.c)
FUZZERS := $(call programs,tests/fuzz/*.c)
TARGETS := $(call programs,tests/targets/*.c)
TRUTHS  := $(call programs,tests/truth/*.c)
BENCHES := $(call programs,bench/*.c bench/echo/*.c)
PAIRS   := $(call programs,docs/asyncio/*.c)
# Examples with somebody else's library: built by check, not by all.
FOREIGN     := $(call programs,examples/real/*.c examples/adapters/*.c)
FOREIGN_CXX := $(patsubst %.cpp,$(B)/%,$(wildcard examples/adapters/*.cpp))

# Tests: Criterion for units; plain programs for races, fuzzers and truth.  A program says in its first lines what it is
# linked with: "link: -luv".
TESTLIB := $(call objs,$(wildcard tests/lib/*.c),obj)
HOUSE   := $(B)/libcli.a $(B)/libviewer.a $(B)/librecord.a
LINK_HOUSE = $(B)/libcli.a $(B)/libviewer.a $(B)/librecord.a $(LINK_RT) $(RECORD_LIBS) $(VIEWER_LIBS) -lm
LINK_OWN = $(filter -l% -Wl%,$(shell sed -n 's/^ \* link: //p' $<))
$(UNITS): $(B)/%: %.c $(TESTLIB) $(HOUSE) $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(TESTLIB) $(LINK_HOUSE) $(LINK_OWN) -lcriterion
$(FUZZERS): $(B)/%: %.c $(TESTLIB) $(HOUSE) $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(TESTLIB) $(LINK_HOUSE) $(LINK_OWN)
TRUTHLIB := $(call objs,$(wildcard tests/truth/lib/*.c),obj)
$(TRUTHS): $(B)/%: %.c $(TRUTHLIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(TRUTHLIB) $(LINK_OWN)
$(RACES) $(TARGETS) $(FOREIGN) $(PAIRS): $(B)/%: %.c $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(LINK_RT) $(LINK_OWN)
$(RACES): $(B)/librecord.a
$(BENCHES): $(B)/%: %.c $(LIBS_OUT) $(B)/librecord.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(B)/librecord.a $(LINK_RT) $(RECORD_LIBS) -lm $(LINK_OWN)
ALL_CXXFLAGS = -std=c++20 $(filter-out -std=% -Wstrict-prototypes -Wmissing-prototypes,$(ALL_CFLAGS))
$(FOREIGN_CXX): $(B)/%: %.cpp $(LIBS_OUT)
	@mkdir -p $(@D)
	$(CXX) $(ALL_CXXFLAGS) $< -o $@ $(LINK_RT) $(LINK_OWN)
test-programs: $(UNITS) $(RACES) $(FUZZERS) $(TARGETS) $(TRUTHS) $(PAIRS) $(FOREIGN) $(FOREIGN_CXX)

# Installs what is missing first, so the rest is a make of its own, which sees it; on every CPU, unless -j said how many.
ON_ALL_CPUS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
check: ## build and test everything; T='ring/*' selects
	scripts/deps build check
	+$(MAKE) $(ON_ALL_CPUS) all test-programs
	B=$(B) T='$(or $(T),*)' tests/run
demo: ## record a real program that nobody here wrote, and report what blocked it
	scripts/deps build demo
	+$(MAKE) $(ON_ALL_CPUS) all
	B=$(B) scripts/demo
golden: all ## write the expected screens anew
	B=$(B) tests/screens/run --golden
truth: all $(TRUTHS) ## compare with programs that block in known ways; SEEDS=20
	B=$(B) tests/truth/run $(or $(SEEDS),20)
bench: ## speed, each figure as a ratio of one interleaved run; ONLY=event
	scripts/deps build bench
	+$(MAKE) $(ON_ALL_CPUS) all $(BENCHES)
	B=$(B) bench/run $(ONLY)

# Each sanitizer has a build directory of its own.  Criterion aborts under tsan, so that one runs plain programs only.
asan: ## unit and race programs and examples under AddressSanitizer
	+$(MAKE) B=build-asan SAN=-fsanitize=address OPT='-O1 -g -fno-omit-frame-pointer' sanitized KINDS='unit race examples'
ubsan: ## unit and race programs and examples under UndefinedBehaviorSanitizer
	+$(MAKE) B=build-ubsan SAN='-fsanitize=undefined -fno-sanitize-recover=all' OPT='-O1 -g' sanitized KINDS='unit race examples'
tsan: ## race programs under ThreadSanitizer
	+$(MAKE) B=build-tsan SAN=-fsanitize=thread OPT='-O1 -g' sanitized KINDS=race
# Its leaks are the definite ones: "possibly lost" is any block that is known by an inner address only, as a heap of timers.
VALGRIND = valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --fair-sched=try
valgrind: ## programs of the runtime under Valgrind
	scripts/deps build valgrind
	+$(MAKE) B=build-valgrind OPT='-O1 -g' UNDER='$(VALGRIND)' sanitized KINDS='race fuzz examples' N=10000 \
	    T='$(or $(T),race/rt_* fuzz/fuzz_schedule fuzz/fuzz_tasks examples/*)'
fuzz: ## the fuzzers under ASan and UBSan, N=1000000 rounds each
	+$(MAKE) B=build-fuzz SAN=-fsanitize=address,undefined OPT='-O1 -g' sanitized KINDS=fuzz N=$(or $(N),1000000)
sanitized: $(if $(findstring unit,$(KINDS)),$(UNITS) $(TARGETS)) $(if $(findstring race,$(KINDS)),$(RACES)) \
           $(if $(findstring fuzz,$(KINDS)),$(FUZZERS)) $(if $(findstring examples,$(KINDS)),examples $(PAIRS))
	B=$(B) UNDER='$(UNDER)' T='$(or $(T),*)' N='$(N)' ASAN_OPTIONS=abort_on_error=1 LSAN_OPTIONS=suppressions=$(CURDIR)/scripts/lsan.txt tests/run $(KINDS)
.PHONY: test-programs check demo golden truth bench asan ubsan tsan valgrind fuzz sanitized

# Looking at the source.
ALL_C := $(PROBE) $(PRELOAD) $(filter %.c,$(RUNTIME)) $(RECORD) $(VIEWER) $(CLI) $(EXAMPLES) \
         $(wildcard examples/*/*.c tests/*/*.c tests/*/lib/*.c bench/*.c bench/*/*.c \
         docs/*/*.c)
lint: all ## warnings of gcc and clang as errors, cppcheck, the man page against the commands
	scripts/deps lint
	for cc in gcc clang; do for f in $(ALL_C); do \
	    $$cc $(filter-out -MMD -MP,$(ALL_CFLAGS)) -Werror -fsyntax-only $$f || exit 1; done; done
	cppcheck -q -j2 --std=c11 --error-exitcode=1 --inline-suppr --suppressions-list=scripts/cppcheck.txt -D_GNU_SOURCE \
	    -D__x86_64__ -Iinclude -I. -I$(B)/gen $(PROBE) $(PRELOAD) $(filter %.c,$(RUNTIME)) $(RECORD) $(VIEWER) $(CLI)
	scripts/check-man $(B)/loopscope docs/man/loopscope.1
	scripts/check-man docs/man/loopscope-runtime.3 $(wildcard include/loopscope/*.h)
	scripts/asyncio-doc --check
fmt: ## lay out every .c file with clang-format (headers are laid out by hand, for their comments)
	clang-format -i $(ALL_C)
layers: ## who may include what (docs/architecture.md)
	scripts/check-layers
symbols: all ## what the libraries in the target export and import
	scripts/check-symbols $(B)

# Installing.
DEST = $(DESTDIR)$(PREFIX)
install: all ## into PREFIX (/usr/local), under DESTDIR
	install -d $(DEST)/bin $(DEST)/lib/pkgconfig $(DEST)/include/loopscope $(DEST)/share/man/man1 $(DEST)/share/man/man3 \
	    $(DEST)/share/bash-completion/completions $(DEST)/share/zsh/site-functions $(DEST)/share/fish/vendor_completions.d
	install -m755 $(B)/loopscope $(DEST)/bin/
	install -m755 $(B)/libloopscope.so $(DEST)/lib/libloopscope.so.1
	ln -sf libloopscope.so.1 $(DEST)/lib/libloopscope.so
	install -m755 $(B)/libloopscope-preload.so $(DEST)/lib/
	install -m644 $(B)/libloopscope-rt.a $(DEST)/lib/
	install -m644 include/loopscope/*.h $(DEST)/include/loopscope/
	install -m644 docs/man/loopscope.1 $(DEST)/share/man/man1/
	install -m644 docs/man/loopscope-runtime.3 $(DEST)/share/man/man3/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' loopscope.pc.in > $(DEST)/lib/pkgconfig/loopscope.pc
	$(B)/loopscope completion bash > $(DEST)/share/bash-completion/completions/loopscope
	$(B)/loopscope completion zsh > $(DEST)/share/zsh/site-functions/_loopscope
	$(B)/loopscope completion fish > $(DEST)/share/fish/vendor_completions.d/loopscope.fish
uninstall: ## remove what install put there
	rm -f $(addprefix $(DEST)/,bin/loopscope lib/libloopscope.so lib/libloopscope.so.1 lib/libloopscope-preload.so \
	    lib/libloopscope-rt.a lib/pkgconfig/loopscope.pc share/man/man1/loopscope.1 share/man/man3/loopscope-runtime.3 \
	    share/bash-completion/completions/loopscope share/zsh/site-functions/_loopscope \
	    share/fish/vendor_completions.d/loopscope.fish)
	rm -rf $(DEST)/include/loopscope

clean: ## remove what was built
	rm -rf $(B) build-asan build-ubsan build-tsan build-valgrind build-fuzz
help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: all examples lint fmt layers symbols install uninstall clean help
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
