# parl - see `make help`. BUILD=release|debug|asan|tsan builds in build/<BUILD>/.
BUILD ?= release
CC = gcc
CXX = g++
AR = ar
OUT := build/$(BUILD)
# Apart from the programs: $(OUT)/parl is the program, $(OBJDIR)/parl/ a folder of objects.
OBJDIR = $(OUT)/obj
PREFIX ?= /usr/local
bindir ?= $(PREFIX)/bin
datadir ?= $(PREFIX)/share
parldir = $(datadir)/parl
docdir = $(datadir)/doc/parl
completiondir = $(datadir)/bash-completion/completions
zshdir = $(datadir)/zsh/site-functions
fishdir = $(datadir)/fish/vendor_completions.d
FUZZ_SECONDS ?= 60
CLANG_FORMAT ?= clang-format
PYTHON ?= python3
MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:

# ---------------------------------------------------------------------------------------- flags
PKGS := lua5.4 sqlite3 gsl libcjson nettle libmicrohttpd libpng libjpeg
PKG_MISSING := $(shell for p in $(PKGS); do pkg-config --exists $$p 2>/dev/null || echo $$p; done)
PKG_CFLAGS := $(if $(PKG_MISSING),,$(shell pkg-config --cflags $(PKGS)))
PKG_LIBS := $(if $(PKG_MISSING),,$(shell pkg-config --libs $(PKGS)))
# Lua's archive where there is one: scripts run about a tenth faster without calls into a shared library.
LUA_ARCHIVE := $(firstword $(wildcard $(addsuffix /liblua5.4.a,$(shell pkg-config --variable=libdir lua5.4 2>/dev/null) \
                 /usr/lib/$(shell $(CC) -dumpmachine 2>/dev/null))))
PKG_LIBS := $(if $(LUA_ARCHIVE),$(subst -llua5.4,$(LUA_ARCHIVE) -ldl,$(PKG_LIBS)),$(PKG_LIBS))
CMOCKA_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wdouble-promotion -Wstrict-prototypes \
        -Wmissing-prototypes -Wconversion
WERROR := $(if $(CI),-Werror)
OPT_release := -O2 -g
OPT_debug := -O0 -g3
# A conversion from floating point that does not fit is undefined, too; a division by zero is not: IEEE 754 defines it.
UNDEFINED := undefined,float-cast-overflow
OPT_asan := -O1 -g -fsanitize=address,$(UNDEFINED) -fno-omit-frame-pointer -fno-sanitize-recover=$(UNDEFINED)
OPT_tsan := -O1 -g -fsanitize=thread
OPT_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,$(UNDEFINED) -fno-sanitize-recover=$(UNDEFINED)
OPT := $(OPT_$(BUILD))
ifeq ($(OPT),)
$(error BUILD=$(BUILD) is not one of release, debug, asan, tsan, fuzz)
endif
# Results must not depend on the compiler's taste: no contraction but in the fast kernels, which ask for it.
CFLAGS = -std=gnu17 $(OPT) $(WARN) -ffp-contract=off -pthread -I. $(PKG_CFLAGS)
LDFLAGS = $(OPT) -pthread
LDLIBS = $(PKG_LIBS) -lm -lrt

# One source, several instruction sets: the file's name carries its own flags.
ifneq ($(filter x86_64% amd64%,$(MACHINE)),)
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
FLAGS_avx2 := -mavx2 -mfma
# Where the compiler knows them; without, the file is empty.
have = $(if $(shell $(CC) $(1) -E -x c /dev/null >/dev/null 2>&1 && echo yes),$(1))
FLAGS_avx512_bf16 := $(FLAGS_avx512) $(call have,-mavx512bf16)
FLAGS_amx := $(FLAGS_avx512_bf16) $(call have,-mamx-tile -mamx-bf16)
endif

# --------------------------------------------------------------------------------------- sources
SRC := $(wildcard core/*.c kernels/*.c kernels/ref/*.c kernels/cpu/*.c kernels/far/*.c kernels/cuda/*.c engine/*.c lua/*.c parl/*/*.c \
         experiments/*.c)
ifeq ($(BUILD),fuzz)
SRC := $(wildcard core/*.c kernels/device.c engine/*.c lua/*.c parl/*/*.c) # what reads foreign bytes; the fast kernels are written for gcc
endif
CLI := $(wildcard cli/*.c)
# Helpers of scripts that are scripts.
KIT := worklist project project_plan viewing kit_check
OBJ := $(SRC:%.c=$(OBJDIR)/%.o) $(patsubst %,$(OBJDIR)/%.o,build_info report_style report_scripts serve_files $(KIT))
CLI_OBJ := $(CLI:%.c=$(OBJDIR)/%.o) $(OBJDIR)/templates.o
TEMPLATES := $(wildcard cli/templates/*) lua/stubs/parl.d.lua
TEST_SRC := $(wildcard tests/test_*.c)
TESTS := $(TEST_SRC:%.c=$(OUT)/%)
SUPPORT_OBJ := $(patsubst %.c,$(OBJDIR)/%.o,$(filter-out $(TEST_SRC),$(wildcard tests/*.c)))
CLI_TESTS := $(wildcard tests/cli/*.sh)
FUZZ := $(patsubst %.c,$(OUT)/%,$(wildcard tests/fuzz/fuzz_*.c))
# What runs more than one thread.
THREADED := workers log status store_file decoder feature_cache model_threads muon learner leaves player stale async episode experiment
TSAN_TESTS := $(THREADED:%=$(OUT)/tests/test_%)
.DEFAULT_GOAL := all
include kernels/cuda/cuda.mk

# ----------------------------------------------------------------------------------------- build
.PHONY: all
all: $(OUT)/parl $(OUT)/share ## build the program: build/<BUILD>/parl
	@printf 'built %s, %s; optional: NCCL %s, MPI %s (not used yet)\n' '$<' '$(CUDA_SAYS)' \
	  "$$(printf '#include <nccl.h>\n' | $(CC) -E - >/dev/null 2>&1 && echo found || echo absent)" \
	  "$$(command -v mpicc >/dev/null && echo found || echo absent)"
	@$(if $(VEGA),:,echo 'Vega-Lite absent: charts of report.html are plain drawings (`make deps` gets it where npm is)')

.PHONY: need-libraries need-cmocka
need-libraries:
	@$(if $(PKG_MISSING),echo "missing: $(strip $(PKG_MISSING)) (asked pkg-config); run \`make deps\`" >&2; exit 1,:)
need-cmocka: need-libraries
	@$(if $(CMOCKA_LIBS),:,echo "missing: cmocka (asked pkg-config); run \`make deps-test\`" >&2; exit 1)

# Commands are shown in short: "cc core/arena.c". V=1 shows them whole.
ifdef V
say =
else
say = @printf '%-4s %s\n' $(1) $(2);
endif

# A change of flags rebuilds; -Werror is left out, so CI=true and plain builds share objects.
.PHONY: FORCE
FORCE:
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CFLAGS) $(FLAGS_amx)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

REVISION = $(shell git -c safe.directory='*' rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
DIRTY = $(shell git -c safe.directory='*' diff-index --quiet HEAD -- 2>/dev/null; test $$? = 1 && echo -dirty)
COMPILER = $(subst ",,$(shell $(CC) --version 2>/dev/null | head -n 1))
$(OUT)/build_info.c: FORCE
	@mkdir -p $(@D)
	@{ echo '/* Written by make. */'; echo '#include "core/build_info.h"'; \
	   echo 'const char *parl_build_revision(void) { return "$(REVISION)$(DIRTY)"; }'; \
	   echo 'const char *parl_build_compiler(void) { return "$(COMPILER)"; }'; \
	   echo 'const char *parl_build_flags(void) { return "$(MACHINE) $(strip -std=gnu17 $(OPT) $(WARN) -ffp-contract=off)"; }'; \
	   echo 'const char *parl_build_datadir(void) { return "$(parldir)"; }'; } >$@.new; \
	 cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Where the program finds shipped files, installed or not.
$(OUT)/share: Makefile
	@mkdir -p $@/parl && ln -sfn $(CURDIR)/envs $@/parl/envs && ln -sfn $(CURDIR)/experiments/recipes $@/parl/recipes && \
	 ln -sfn $(CURDIR)/experiments/sweeps $@/parl/sweeps && ln -sfn $(CURDIR)/experiments/sources $@/parl/sources && touch $@

# Files as strings in the program: what `parl env new` and `parl completion` write, the style of the report, and the
# helper of scripts that is a script.
AS_STRING = sed 's/[\\"?]/\\&/g; s/^/   "/; s/$$/\\n"/'
$(OUT)/templates.c: $(TEMPLATES)
	@mkdir -p $(@D)
	@{ echo '/* Written by make. */'; echo '#include "cli/template.h"'; echo 'const cli_template cli_templates[] = {'; \
	   for f in $^; do echo "  {\"$${f##*/}\","; $(AS_STRING) $$f; echo '  },'; done; \
	   echo '  {0, 0}};'; } >$@
$(OUT)/report_style.c: experiments/report.css
	@mkdir -p $(@D)
	@{ echo '/* Written by make. */'; echo '#include "experiments/report_internal.h"'; \
	   echo 'const char parl_report_style[] ='; $(AS_STRING) $<; echo '   ;'; } >$@
# What draws the charts of report.html: three libraries, as `make deps` has got them from npm, behind their notices, packed.
# Without them the strings are empty and the charts are plain drawings.
WEB := build/web
VEGA_FILES := $(addprefix $(WEB)/node_modules/,vega/build/vega.min.js vega-lite/build/vega-lite.min.js \
                vega-embed/build/vega-embed.min.js)
VEGA := $(if $(filter 3,$(words $(wildcard $(VEGA_FILES)))),$(VEGA_FILES))
$(OUT)/vega.found: FORCE
	@mkdir -p $(@D) && echo '$(VEGA)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(OUT)/vega.txt: $(VEGA) experiments/web/notice.sh $(OUT)/vega.found
	@$(if $(VEGA),sh experiments/web/notice.sh $(WEB)/node_modules,:) >$@
$(OUT)/vega.js: $(VEGA) $(OUT)/vega.found
	@for f in $(VEGA); do sed '/^\/\/# sourceMappingURL/d' $$f; done >$@
$(OUT)/report_scripts.c: experiments/report_charts.js $(OUT)/vega.js $(OUT)/vega.txt
	@{ echo '/* Written by make. */'; echo '#include "experiments/report_vega.h"'; \
	   echo 'const char parl_report_libraries[] = ""'; \
	   [ ! -s $(OUT)/vega.js ] || gzip -9nc $(OUT)/vega.js | base64 -w 1000 | $(AS_STRING); \
	   echo '   ;'; echo 'const char parl_report_libraries_hash[] ='; sha256sum <$(OUT)/vega.js | cut -c 1-64 | $(AS_STRING); \
	   echo '   ;'; echo 'const char parl_report_notices[] = ""'; $(AS_STRING) $(OUT)/vega.txt; \
	   echo '   ;'; echo 'const char parl_report_charts[] ='; $(AS_STRING) $<; echo '   ;'; } >$@
SERVE_FILES := $(addprefix experiments/serve.,html js css)
$(OUT)/serve_files.c: $(SERVE_FILES)
	@mkdir -p $(@D)
	@{ echo '/* Written by make. */'; echo '#include "experiments/serve_internal.h"'; \
	   for f in $^; do echo "const char parl_serve_$${f##*.}[] ="; $(AS_STRING) $$f; echo '   ;'; done; } >$@
$(KIT:%=$(OUT)/%.c): $(OUT)/%.c: lua/%.lua
	@mkdir -p $(@D)
	@{ echo '/* Written by make. */'; echo '#include "lua/env_internal.h"'; \
	   echo 'const char parl_env_$*[] ='; $(AS_STRING) $<; echo '   ;'; } >$@
WRITTEN := templates report_style report_scripts serve_files $(KIT)
$(WRITTEN:%=$(OBJDIR)/%.o): $(OBJDIR)/%.o: $(OUT)/%.c $(OUT)/flags | need-libraries
	@mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# -O3 where speed is wanted: under sanitizers it only makes the compiler slow.
OPT_KERNELS := $(if $(filter release,$(BUILD)),-O3)
$(OBJDIR)/kernels/cpu/%_avx512.o: EXTRA = $(FLAGS_avx512) $(OPT_KERNELS) -ffp-contract=fast
$(OBJDIR)/kernels/cpu/%_avx2.o: EXTRA = $(FLAGS_avx2) $(OPT_KERNELS) -ffp-contract=fast
$(OBJDIR)/kernels/cpu/%_portable.o $(OBJDIR)/kernels/cpu/%_emulated.o: EXTRA = $(OPT_KERNELS)
$(OBJDIR)/kernels/cpu/%_avx512_bf16.o: EXTRA = $(FLAGS_avx512_bf16) $(OPT_KERNELS) -ffp-contract=fast
$(OBJDIR)/kernels/cpu/%_amx.o: EXTRA = $(FLAGS_amx) $(OPT_KERNELS) -ffp-contract=fast
$(OBJDIR)/core/image_resize.o: EXTRA = $(OPT_KERNELS)
# Columns of facts. No trap is ever looked for, so a quotient that is not chosen may be computed; values stay the same.
$(OBJDIR)/parl/reward/formulas.o $(OBJDIR)/parl/reward/score.o $(OBJDIR)/parl/reward/score_count.o: \
  EXTRA = $(if $(OPT_KERNELS),$(OPT_KERNELS) -fno-trapping-math)

COMPILE = $(call say,cc,$<) mkdir -p $(@D) && $(CC) $(CFLAGS) $(WERROR) $(EXTRA) -MMD -MP -c -o $@ $<
$(OBJDIR)/build_info.o: $(OUT)/build_info.c $(OUT)/flags | need-libraries
	@mkdir -p $(@D) && $(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(OBJDIR)/%.o: %.c $(OUT)/flags | need-libraries
	$(COMPILE)

$(OUT)/libparl.a: $(OBJ)
	@rm -f $@ && $(AR) rcs $@ $^

$(OUT)/parl: $(CLI_OBJ) $(CUDA_OBJ) $(OUT)/libparl.a $(OUT)/cuda.choice
	@$(if $(CLI_OBJ),:,echo "cli/ has no source yet" >&2; exit 1)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(CUDA_LIBS) $(LDLIBS)

$(TESTS): $(OUT)/%: $(OBJDIR)/%.o $(SUPPORT_OBJ) $(OUT)/libparl.a | need-cmocka
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CMOCKA_LIBS)

$(FUZZ): $(OUT)/%: $(OBJDIR)/%.o $(OUT)/libparl.a
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(subst fuzzer-no-link,fuzzer,$(LDFLAGS)) -o $@ $^ $(LDLIBS)

# -------------------------------------------------------------------------------------- packages
# $(call install,lists): nothing happens, and no network is needed, when all are there. "a|b" is the first that exists.
define install
@missing=; for choice in $$(sed 's/#.*//' $(1)); do \
   have=; for p in $$(echo $$choice | tr '|' ' '); do \
     case "$$(dpkg-query -W -f='$${Status}' $$p 2>/dev/null)" in *'ok installed') have=1;; esac; done; \
   [ -n "$$have" ] || missing="$$missing $$choice"; \
 done; [ -n "$$missing" ] || exit 0; \
 command -v apt-get >/dev/null || { echo "no apt-get here; install by your own means:$$missing" >&2; exit 0; }; \
 sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo'; \
 if [ -n "$$sudo" ] && ! command -v sudo >/dev/null; then echo "ask an administrator to install:$$missing" >&2; exit 1; fi; \
 $$sudo apt-get -o DPkg::Lock::Timeout=600 update || exit 1; \
 for choice in $$missing; do found=; \
   for p in $$(echo $$choice | tr '|' ' '); do \
     [ -n "$$found" ] || ! apt-cache show $$p >/dev/null 2>&1 || found=$$p; done; \
   wanted="$$wanted $${found:-$$choice}"; \
 done; \
 $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $$wanted
endef
# By npm where it is found; nothing happens, and no network is needed, where the committed versions are there. No script
# of a package is run, and Node itself is not needed to build.
define get_vega
@if cmp -s experiments/web/package-lock.json $(WEB)/installed.json; then exit 0; fi; \
 command -v npm >/dev/null || { echo 'npm is absent: charts of report.html will be plain drawings'; exit 0; }; \
 mkdir -p $(WEB) && cp experiments/web/package.json experiments/web/package-lock.json $(WEB) && cd $(WEB) && \
 if npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; then cp package-lock.json installed.json; \
 else echo 'npm could not get Vega-Lite: charts of report.html will be plain drawings' >&2; fi
endef
.PHONY: deps deps-test deps-cluster
deps: ## install what building and running needs (Debian, Ubuntu; packages.txt), and the report's chart library
	$(call install,packages.txt)
	$(get_vega)
deps-cluster: deps-test
	$(call install,packages-cluster.txt)
deps-test: ## install what the tests need in addition (packages-test.txt)
	$(call install,packages.txt packages-test.txt)
	$(get_vega)

# ----------------------------------------------------------------------------------------- tests
# A second make, since this one asked pkg-config before deps ran; on all processors unless told otherwise.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
.PHONY: test test-slurm studies studies-check demo run-tests asan tsan fuzz run-fuzz mutants bench bench-peers
test: deps-test ## install what is missing, build, run every test
	@$(MAKE) $(PARALLEL) run-tests
demo: deps ## install what is missing, build, train a small orchestrator
	@$(MAKE) $(PARALLEL) all
	$(OUT)/parl train experiments/recipes/quickstart.lua

RUNNER = PARL_BUILD=$(BUILD) PARL=$(CURDIR)/$(OUT)/parl tests/run --logs $(OUT)/logs
run-tests: all $(TESTS) $(CUDA_OWN) $(CUDA_QUICK)
	@$(RUNNER) $(RUN_FLAGS) $(TESTS) $(CUDA_OWN) $(CUDA_QUICK) $(CLI_TESTS)
asan: ## run every test under the address, undefined-behaviour and leak sanitizers
	@$(MAKE) $(PARALLEL) BUILD=asan OUT=build/asan RUN_FLAGS='--sanitize --timeout 1500' run-tests
run-tsan: $(TSAN_TESTS)
	@$(RUNNER) --sanitize --timeout 1500 $(TSAN_TESTS)
tsan: ## run the threaded tests under the thread sanitizer
	@$(MAKE) $(PARALLEL) BUILD=tsan OUT=build/tsan run-tsan
fuzz: ## fuzz every target of tests/fuzz for FUZZ_SECONDS=60 each
	@$(MAKE) $(PARALLEL) BUILD=fuzz OUT=build/fuzz CC=clang run-fuzz
run-fuzz: $(FUZZ)
	@tests/run_fuzz --seconds $(FUZZ_SECONDS) --out $(OUT) $(FUZZ)
test-slurm: deps-cluster ## run jobs of a sweep under a real Slurm on this machine
	@$(MAKE) $(PARALLEL) all
	@$(RUNNER) --timeout 900 tests/cluster/slurm.sh
STUDIES = shaping anneal budgets masks toggle credit_equal sub_models subs swarm_100 context pay \
          towers fusion aligned zero_vision joint_rl look_wide long long_512 long_4096
studies: all ## make the studies (STUDIES) whole, hours on 2 cores; stopped, the same command goes on
	@set -e; for study in $(STUDIES); do $(OUT)/parl train experiments/recipes/$$study.lua; done
studies-check: all ## make cheap runs of the studies on a fresh seed: inside their intervals? (minutes)
	@python3 tests/studies_check.py --parl $(OUT)/parl
mutants: ## plant known mistakes in the formulas; the tests must notice each
	@sh tests/run_mutants.sh
bench: all ## measure this machine's speed
	$(OUT)/parl bench
$(OUT)/tests/bench/%: $(OBJDIR)/tests/bench/%.o $(OUT)/libparl.a
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
bench-peers: all ## the same beside PyTorch and open-parl where PYTHON=python3 has them (minutes)
	@$(PYTHON) tests/bench/torch_peer.py --parl $(OUT)/parl $(PEER_FLAGS)
	@$(PYTHON) tests/bench/open_parl_peer.py --parl $(OUT)/parl $(SCORE_PEER_FLAGS)

# ---------------------------------------------------------------------------------------- checks
.PHONY: layers lint format docs
layers: ## check the table of folders: who includes whom, who prints
	@python3 tests/layers.py --self-test
	@python3 tests/layers.py
lint: $(OUT)/libparl.a ## check format, sizes and common mistakes
	@CLANG_FORMAT=$(CLANG_FORMAT) PARL_LIBRARY=$< python3 tests/lint.py
format: ## format every C file in place
	$(CLANG_FORMAT) -i $$(git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cc')
docs: ## write the generated pages of docs/
	@python3 docs/generate.py

# --------------------------------------------------------------------------------------- install
.PHONY: install uninstall clean help
install: all ## install to PREFIX=/usr/local (DESTDIR is honoured)
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(parldir)/envs $(DESTDIR)$(parldir)/recipes \
	  $(DESTDIR)$(parldir)/sweeps $(DESTDIR)$(parldir)/sources $(DESTDIR)$(docdir)
	install -m 755 $(OUT)/parl $(DESTDIR)$(bindir)/parl
	set -e; for f in $(wildcard envs/*.lua); do install -m 644 $$f $(DESTDIR)$(parldir)/envs/; done
	set -e; for f in $(wildcard experiments/recipes/*.lua); do install -m 644 $$f $(DESTDIR)$(parldir)/recipes/; done
	set -e; for f in $(wildcard experiments/sources/*.lua); do install -m 644 $$f $(DESTDIR)$(parldir)/sources/; done
	set -e; for f in $(wildcard experiments/sweeps/*.lua); do install -m 644 $$f $(DESTDIR)$(parldir)/sweeps/; done
	set -e; for f in $(wildcard lua/*.lua lua/stubs/*.lua); do install -D -m 644 $$f $(DESTDIR)$(parldir)/lua/$${f##*/}; done
	set -e; for f in README.md LICENSE $(wildcard docs/*.md); do install -m 644 $$f $(DESTDIR)$(docdir)/; done
	set -e; for shell in bash zsh fish; do \
	  $(OUT)/parl completion $$shell --program $(bindir)/parl >$(OUT)/completion.$$shell; done
	install -D -m 644 $(OUT)/completion.bash $(DESTDIR)$(completiondir)/parl
	install -D -m 644 $(OUT)/completion.zsh $(DESTDIR)$(zshdir)/_parl
	install -D -m 644 $(OUT)/completion.fish $(DESTDIR)$(fishdir)/parl.fish
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(bindir)/parl $(DESTDIR)$(completiondir)/parl $(DESTDIR)$(zshdir)/_parl $(DESTDIR)$(fishdir)/parl.fish
	rm -rf $(DESTDIR)$(parldir) $(DESTDIR)$(docdir)
clean: ## remove what was built
	rm -rf build
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(filter-out %.d,$(MAKEFILE_LIST))
	@echo "  BUILD=release|debug|asan|tsan, OUT=folder, CI=true makes warnings errors, V=1 shows commands"

-include $(OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_SRC:%.c=$(OBJDIR)/%.d) $(SUPPORT_OBJ:.o=.d) $(FUZZ:$(OUT)/%=$(OBJDIR)/%.d)
.PRECIOUS: $(OBJDIR)/%.o
