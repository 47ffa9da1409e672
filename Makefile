# parl - see `make help`. BUILD=release|debug|asan|tsan builds in build/<BUILD>/.
BUILD ?= release
CC = gcc
OUT := build/$(BUILD)
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

PKGS := lua5.4 sqlite3 gsl libcjson nettle
WARN := -Wall -Wextra -Wshadow -Wundef -Wvla -Wdouble-promotion -Wstrict-prototypes \
        -Wmissing-prototypes -Wconversion
ifdef CI
WARN += -Werror
endif
OPT_release := -O2 -g
OPT_debug := -O0 -g3
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT_tsan := -O1 -g -fsanitize=thread
OPT := $(OPT_$(BUILD))
# Results must not depend on the compiler's taste: no contraction but in the fast kernels, which ask for it.
CFLAGS = -std=gnu17 $(OPT) $(WARN) -ffp-contract=off -pthread -I. $(PKG_CFLAGS) -MMD -MP
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS = $(shell pkg-config --libs $(PKGS))
LDLIBS = $(PKG_LIBS) -lm -lrt

SRC := $(wildcard core/*.c kernels/*.c kernels/ref/*.c kernels/cpu/*.c engine/*.c lua/*.c parl/*.c experiments/*.c)
CLI := $(wildcard cli/*.c)
OBJ := $(SRC:%.c=$(OUT)/%.o)
CLI_OBJ := $(CLI:%.c=$(OUT)/%.o)
TESTS := $(patsubst tests/%.c,$(OUT)/tests/%,$(wildcard tests/test_*.c))

.PHONY: all
all: $(OUT)/parl ## build the program

$(OUT)/libparl.a: $(OBJ)
	@rm -f $@ && ar rcs $@ $^

$(OUT)/parl: $(CLI_OBJ) $(OUT)/libparl.a
	$(CC) $(OPT) -pthread -o $@ $(CLI_OBJ) $(OUT)/libparl.a $(LDLIBS)

# One source, three instruction sets: the file's name carries its own flags.
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
FLAGS_avx2 := -mavx2 -mfma
$(OUT)/kernels/cpu/%_avx512.o: EXTRA = $(FLAGS_avx512) -O3 -ffp-contract=fast
$(OUT)/kernels/cpu/%_avx2.o: EXTRA = $(FLAGS_avx2) -O3 -ffp-contract=fast
$(OUT)/kernels/cpu/%_portable.o: EXTRA = -O3

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(EXTRA) -c -o $@ $<

$(OUT)/tests/%: tests/%.c $(OUT)/libparl.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MF $@.d -o $@ $< $(OUT)/libparl.a $(LDLIBS) $(shell pkg-config --libs cmocka)

.PHONY: clean
clean: ## remove what was built
	rm -rf build

-include $(OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TESTS:=.d)
