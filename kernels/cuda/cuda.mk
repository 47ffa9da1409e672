# kernels/cuda/cuda.mk - the kernels of CUDA: for cards by nvcc, for the emulator by g++, and their tests. Included by
# the Makefile; docs/cuda.md says what is what.

# What runs kernels/cuda on the host: the kernels as g++ compiles them against kernels/emu, plainly and so that they tell of
# each access; and the tests of ops with these as the level that is tried.
CUDA_SRC := $(wildcard kernels/cuda/*.cu)
EMU_SRC := $(wildcard kernels/emu/*.cc)
EMU_OBJ := $(CUDA_SRC:%.cu=$(OBJDIR)/emu/%.o) $(EMU_SRC:%.cc=$(OBJDIR)/%.o)
RACE_OBJ := $(CUDA_SRC:%.cu=$(OBJDIR)/race/%.o) $(EMU_SRC:%.cc=$(OBJDIR)/%.o)
CUDA_OPS := ops ops_more ops_vision
CARD_OPS := $(CUDA_OPS) ops_invariance
CARD_OWN := device engine graphs
CUDA_TESTS := $(CUDA_OPS:%=$(OUT)/tests/cuda_%)
CUDA_QUICK := $(OUT)/tests/cuda_ops_more $(OUT)/tests/cuda_ops_vision # the others take a minute
CUDA_OWN := $(addprefix $(OUT)/tests/cuda_,emulator device engine blas graphs)

# ------------------------------------------------------------------------------------- for cards
# CUDA=1: the program has the kernels for sm_80, sm_90, sm_100 and later (three minutes of a core to compile); CUDA=0: it
# has none; auto: for this machine's card alone, where it has nvcc and a card, else none.
CUDA ?= auto
CUDA_FOLDER := build/cuda
NVCC ?= $(or $(shell command -v nvcc),$(abspath $(wildcard $(CUDA_FOLDER)/nvidia/cu13/bin/nvcc)))
NVCC_FOUND := $(shell command -v $(or $(NVCC),none-is-named) 2>/dev/null)
CUDA_OBJ_ALL := $(CUDA_SRC:%.cu=$(OBJDIR)/nvcc/%.o)
CARD := $(if $(NVCC_FOUND),$(filter 8% 9% 1%,$(shell nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)))
ifeq ($(CUDA),1)
CUDA_OBJ := $(CUDA_OBJ_ALL)
else ifeq ($(CUDA),auto)
CUDA_OBJ := $(if $(CARD),$(CUDA_SRC:%.cu=$(OBJDIR)/nvcc-card/%.o))
else ifneq ($(CUDA),0)
$(error CUDA=$(CUDA) is not one of 0, 1, auto)
endif
comma := ,
# The runtime is linked whole, and the little of C++ that nvcc's launches call, so that the program starts where there is no driver.
CUDA_ROOT := $(if $(NVCC_FOUND),$(abspath $(shell $(NVCC_FOUND) --dryrun -c -x cu /dev/null 2>&1 | sed -n 's/^\#\$$ TOP=//p')))
CUDA_LIBRARIES := $(firstword $(wildcard $(addsuffix /libcudart_static.a,$(addprefix $(CUDA_ROOT)/,lib64 lib \
                    targets/x86_64-linux/lib)))) -Wl$(comma)-Bstatic -lstdc++ -Wl$(comma)-Bdynamic -ldl
CUDA_LIBS := $(if $(CUDA_OBJ),$(CUDA_LIBRARIES) -Wl$(comma)-rpath$(comma)'$$ORIGIN/../cuda/nvidia/cu13/lib')
CUDA_SAYS = $(if $(CUDA_OBJ),with the kernels for $(if $(filter auto,$(CUDA)),this card,cards),$(if \
              $(NVCC_FOUND),nvcc found (`make CUDA=1`: kernels for cards),nvcc absent))
$(OUT)/cuda.choice: FORCE
	@mkdir -p $(@D) && echo '$(CUDA_OBJ)' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# What ptxas said stays in x.log, what it read in x.keep: tests/cuda/check_build.py looks at both.
NVCCFLAGS = -std=c++20 -O3 -I. -Xptxas -v,-warn-spills,-warn-lmem-usage \
            -Xcompiler -ffp-contract=off,-fno-exceptions,-Wno-deprecated-enum-enum-conversion,-Wno-enum-compare
CUDA_ARCHS = -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 \
             -gencode 'arch=compute_100,code=[sm_100,compute_100]'
$(OBJDIR)/nvcc-card/%.o: CUDA_ARCHS = -gencode arch=compute_$(CARD),code=sm_$(CARD)
$(OUT)/nvcc.flags: FORCE
	@mkdir -p $(@D) && printf '%s\n' '$(NVCC_FOUND) card $(CARD) $(subst ','"'"',$(NVCCFLAGS) $(CUDA_ARCHS))' >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
NVCC_COMPILE = $(call say,nvcc,$<) rm -rf $(@:.o=.keep) && mkdir -p $(@:.o=.keep) && \
 { $(NVCC_FOUND) $(NVCCFLAGS) $(if $(CI),-Werror all-warnings) $(CUDA_ARCHS) -MMD -MP --keep --keep-dir $(@:.o=.keep) -c -o $@ $< >$(@:.o=.log) 2>&1 || \
   { grep -v '^ptxas info\|bytes stack frame' $(@:.o=.log) >&2; rm -f $@; exit 1; }; } && \
 find $(@:.o=.keep) -type f ! -name '*.ptx' -delete
$(OBJDIR)/nvcc/%.o: %.cu $(OUT)/nvcc.flags
	$(NVCC_COMPILE)
$(OBJDIR)/nvcc-card/%.o: %.cu $(OUT)/nvcc.flags
	$(NVCC_COMPILE)

# ---------------------------------------------------------------------------------- the emulated card
# The emulated backend takes the place of the library's: it is linked in front of it. No C++ library: none is used.
CXXFLAGS = -std=gnu++20 $(OPT) -Wall -Wshadow -Wno-unknown-pragmas -Wno-deprecated-enum-enum-conversion -Wno-enum-compare -Wno-unused-function -ffp-contract=off \
           -fno-exceptions -fno-rtti -fno-threadsafe-statics -pthread -Ikernels/emu -I.
CXXCOMPILE = $(call say,c++,$<) mkdir -p $(@D) && $(CXX) $(CXXFLAGS) $(WERROR) $(EXTRA) -MMD -MP -c -o $@ -x c++ $<
$(OBJDIR)/emu/%.o: %.cu $(OUT)/flags
	$(CXXCOMPILE)
$(OBJDIR)/race/%.o: EXTRA = -O1 -fsanitize=thread
$(OBJDIR)/race/%.o: %.cu $(OUT)/flags
	$(CXXCOMPILE)
$(OBJDIR)/kernels/emu/%.o: kernels/emu/%.cc $(OUT)/flags
	$(CXXCOMPILE)
$(OBJDIR)/cuda/%.o: EXTRA = -DPARL_TEST_CUDA
$(OBJDIR)/cuda/%.o: %.c $(OUT)/flags | need-libraries
	$(COMPILE)
$(OBJDIR)/race/tests/cuda/test_emulator.o: EXTRA = -DRACES
$(OBJDIR)/race/tests/cuda/test_%.o: tests/cuda/test_%.c $(OUT)/flags | need-libraries
	$(COMPILE)
# The program with an emulated card in it: `--set run.backend=cuda` runs there, very slowly.
$(OUT)/parl-emu: $(CLI_OBJ) $(OBJDIR)/tests/cuda/settings.o $(EMU_OBJ) $(OUT)/libparl.a
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
# The tests of ops as they run on a real card, whose memory is not malloc's; and on the emulated one, to check just that.
$(OBJDIR)/card/%.o: EXTRA = -DPARL_TEST_CUDA -DPARL_TEST_CARD -include tests/cuda/card_memory.h
$(OBJDIR)/card/tests/cuda/test_%.o: EXTRA = -DPARL_TEST_CARD
$(OBJDIR)/card/%.o: %.c $(OUT)/flags | need-libraries
	$(COMPILE)
BUNDLE := $(OUT)/gpu-bundle
# $(call card_programs,folder,suffix,objects of kernels,libraries)
define card_programs
$(CARD_OPS:%=$(1)/card_%$(2)): $(1)/card_%$(2): $(OBJDIR)/card/tests/test_%.o $(OBJDIR)/card/tests/cuda/level.o \
  $(OBJDIR)/tests/cuda/card_memory.o $(if $(2),,$(OBJDIR)/tests/cuda/no_emulator.o) $(3) $(SUPPORT_OBJ) $(OUT)/libparl.a | need-cmocka
	@mkdir -p $$(@D)
	$$(call say,ld,$$@) $(CC) $(LDFLAGS) $(BUNDLE_RPATH) -o $$@ $$(filter %.o %.a,$$^) $(4) $(LDLIBS) $(CMOCKA_LIBS)
$(CARD_OWN:%=$(1)/card_%$(2)): $(1)/card_%$(2): $(OBJDIR)/card/tests/cuda/test_%.o $(3) $(SUPPORT_OBJ) \
  $(if $(2),,$(OBJDIR)/tests/cuda/no_emulator.o $(OBJDIR)/nvcc/tests/cuda/bugs.o) $(if $(2),$(OBJDIR)/emu/tests/cuda/bugs.o) \
  $(OUT)/libparl.a | need-cmocka
	@mkdir -p $$(@D)
	$$(call say,ld,$$@) $(CC) $(LDFLAGS) $(BUNDLE_RPATH) -o $$@ $$(filter %.o %.a,$$^) $(4) $(LDLIBS) $(CMOCKA_LIBS)
$(1)/ceilings$(2): $(OBJDIR)/tests/cuda/ceilings.o $(3) $(OUT)/libparl.a
	@mkdir -p $$(@D)
	$$(call say,ld,$$@) $(CC) $(LDFLAGS) $(BUNDLE_RPATH) -o $$@ $$(filter %.o %.a,$$^) $(4) $(LDLIBS)
$(1)/parl$(2): $(CLI_OBJ) $(3) $(if $(2),$(OBJDIR)/tests/cuda/settings.o) $(OUT)/libparl.a
	@mkdir -p $$(@D)
	$$(call say,ld,$$@) $(CC) $(LDFLAGS) $(BUNDLE_RPATH) -o $$@ $$(filter %.o %.a,$$^) $(4) $(LDLIBS)
endef
# Libraries are looked for beside the program, those of libraries, too.
BUNDLE_RPATH = -Wl,--disable-new-dtags,-rpath,'$$$$ORIGIN/../lib'
$(eval $(call card_programs,$(BUNDLE)/bin,-emu,$(EMU_OBJ),))
ifneq ($(NVCC_FOUND),)
$(eval $(call card_programs,$(BUNDLE)/bin,,$(CUDA_OBJ_ALL),$(CUDA_LIBRARIES)))
endif
$(CUDA_OWN): $(OUT)/tests/cuda_%: $(OBJDIR)/tests/cuda/test_%.o $(OBJDIR)/emu/tests/cuda/bugs.o $(EMU_OBJ) $(SUPPORT_OBJ) $(OUT)/libparl.a | need-cmocka
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CMOCKA_LIBS)
$(OUT)/tests/cuda_emulator_race: $(OBJDIR)/race/tests/cuda/test_emulator.o $(OBJDIR)/race/tests/cuda/bugs.o $(RACE_OBJ) $(SUPPORT_OBJ) $(OUT)/libparl.a | need-cmocka
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CMOCKA_LIBS)
$(CUDA_TESTS): $(OUT)/tests/cuda_%: $(OBJDIR)/cuda/tests/test_%.o $(OBJDIR)/tests/cuda/level.o $(EMU_OBJ) $(SUPPORT_OBJ) $(OUT)/libparl.a | need-cmocka
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CMOCKA_LIBS)
$(CUDA_TESTS:%=%_race): $(OUT)/tests/cuda_%_race: $(OBJDIR)/cuda/tests/test_%.o $(OBJDIR)/tests/cuda/level.o $(RACE_OBJ) $(SUPPORT_OBJ) $(OUT)/libparl.a | need-cmocka
	@mkdir -p $(@D)
	$(call say,ld,$@) $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CMOCKA_LIBS)

# -------------------------------------------------------------------------------------------- checks
.PHONY: cuda-check cuda-build
cuda-check: ## the kernels of CUDA: by nvcc, where there is one, for cards, within their budget; then cuda-emu
	@$(MAKE) $(PARALLEL) cuda-build
	@$(MAKE) cuda-emu
ifneq ($(NVCC_FOUND),)
cuda-build: $(CUDA_OBJ_ALL)
	@$(PYTHON) tests/cuda/check_build.py $(BUDGET_FLAGS) $(^:.o=)
else
cuda-build:
	@echo 'nvcc is absent: kernels/cuda is not compiled for cards, only emulated'
endif
.PHONY: cuda-emu run-cuda-emu run-cuda-orders
cuda-emu: deps-test ## the kernels of CUDA on the emulator: all ops in two orders of threads, some for races and by sanitizers
	@$(MAKE) $(PARALLEL) run-cuda-emu
	@$(MAKE) $(PARALLEL) run-gpu-script
	@$(MAKE) $(PARALLEL) BUILD=asan OUT=build/asan RUN_FLAGS=--sanitize run-cuda-orders
CUDA_RACES := $(addprefix $(OUT)/tests/cuda_,emulator_race ops_more_race ops_vision_race)
run-cuda-emu: $(CUDA_TESTS) $(CUDA_OWN) $(CUDA_RACES) $(OUT)/parl-emu
	@$(RUNNER) $(CUDA_TESTS) $(CUDA_OWN) $(CUDA_RACES) tests/cuda/program.sh
	@TEST_ORDER=random $(RUNNER) $(CUDA_TESTS)
run-cuda-orders: $(CUDA_QUICK)
	@TEST_ORDER=reverse $(RUNNER) $(RUN_FLAGS) $(CUDA_QUICK)
	@TEST_ORDER=random $(RUNNER) $(RUN_FLAGS) $(CUDA_QUICK)

# ------------------------------------------------------------------------------- for a machine with a card
CARD_PROGRAMS := parl ceilings $(CARD_OWN:%=card_%) $(CARD_OPS:%=card_%)
BUNDLE_FILES := $(wildcard envs/*.lua) experiments/recipes/quickstart.lua tests/cli_support.sh \
                $(addprefix tests/cuda/,check_gpu.sh program.sh tiny.lua)
.PHONY: deps-cuda gpu-bundle run-gpu-bundle check-gpu
deps-cuda: ## find nvcc, or get NVIDIA's wheels of it into build/cuda; CUBLAS=1: of cuBLAS, too
	@sh kernels/cuda/get_toolkit.sh $(CUDA_FOLDER) $(if $(CUBLAS),cublas)
gpu-bundle: deps-test ## pack what check-gpu needs into build/<BUILD>/gpu-bundle.tar.gz, for a machine with a card
	@$(if $(NVCC_FOUND),:,echo 'gpu-bundle: nvcc is absent; `make deps-cuda` gets it' >&2; exit 1)
	@$(MAKE) $(PARALLEL) run-gpu-bundle
define fill_bundle
@for f in $(BUNDLE_FILES); do mkdir -p $(BUNDLE)/$${f%/*} && cp -p $$f $(BUNDLE)/$$f; done
@rm -rf $(BUNDLE)/lib && mkdir -p $(BUNDLE)/lib && for p in $(BUNDLE)/bin/*; do ldd $$p; done | awk '/=> \// { print $$3 }' | \
  sort -u | grep -v '/\(libc\|libm\|libdl\|librt\|libpthread\|ld-linux[^/]*\)\.so' | xargs -I{} cp -L {} $(BUNDLE)/lib
endef
run-gpu-bundle: $(CARD_PROGRAMS:%=$(BUNDLE)/bin/%)
	$(fill_bundle)
	@strip $(BUNDLE)/bin/* && tar -C $(OUT) --exclude "*-emu" -czf $(BUNDLE).tar.gz gpu-bundle && \
	 bytes=$$(stat -c %s $(BUNDLE).tar.gz) && echo "$(BUNDLE).tar.gz: $$((bytes >> 10)) KiB; there: sh gpu-bundle/tests/cuda/check_gpu.sh" && \
	 [ $$bytes -lt 67108864 ] || { echo 'gpu-bundle: more than 64 MiB' >&2; exit 1; }
check-gpu: gpu-bundle ## what only a card shows: ceilings, ops, updates, speed, into gpu-results (9 minutes at most)
	sh $(BUNDLE)/tests/cuda/check_gpu.sh
# The same script on the emulated card, at tiny sizes: a part of cuda-emu.
.PHONY: run-gpu-script
run-gpu-script: $(CARD_PROGRAMS:%=$(BUNDLE)/bin/%-emu)
	$(fill_bundle)
	sh $(BUNDLE)/tests/cuda/check_gpu.sh --emulated --out $(OUT)/gpu-results

-include $(EMU_OBJ:.o=.d) $(RACE_OBJ:.o=.d) $(CUDA_OBJ_ALL:.o=.d) $(CUDA_SRC:%.cu=$(OBJDIR)/nvcc-card/%.d) \
  $(CUDA_OPS:%=$(OBJDIR)/cuda/tests/test_%.d) $(OBJDIR)/tests/cuda/level.d \
  $(patsubst %,$(OBJDIR)/%.d,tests/cuda/test_emulator tests/cuda/test_device tests/cuda/test_engine tests/cuda/test_blas tests/cuda/test_graphs tests/cuda/settings tests/cuda/card_memory emu/tests/cuda/bugs race/tests/cuda/bugs \
    race/tests/cuda/test_emulator) $(CARD_OPS:%=$(OBJDIR)/card/tests/test_%.d) \
  $(patsubst %,$(OBJDIR)/%.d,card/tests/cuda/level $(CARD_OWN:%=card/tests/cuda/test_%) tests/cuda/ceilings \
    tests/cuda/no_emulator nvcc/tests/cuda/bugs)
