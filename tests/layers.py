#!/usr/bin/env python3
"""Checks the house rules that an include line or a call can break: the table of folders in docs/architecture.md.

layers.py              checks the checkout and prints each breach as file:line: what
layers.py --self-test  plants one breach of each kind and demands that it is found
"""
import os
import re
import sys
import tempfile

# folder: (folders it may include, third-party headers that belong there and nowhere else)
LAYERS = {
    "core": ((), ("cjson/cJSON.h", "cJSON.h", "sqlite3.h", "nettle/", "png.h",
                  "jpeglib.h", "jerror.h")),
    "kernels": (("core",), ("immintrin.h", "arm_neon.h", "cblas.h", "cuda", "cublas")),
    "engine": (("core", "kernels"), ("nccl.h", "mpi.h")),
    "lua": (("core",), ("lua.h", "lauxlib.h", "lualib.h")),
    "envs": ((), ()),
    "parl": (("core", "engine", "lua"), ()),
    "experiments": (("core", "parl"), ("gsl/", "microhttpd.h")),
    "cli": (("core", "kernels", "engine", "lua", "parl", "experiments"), ()),
}
# The rooms of parl/, and which rooms each may include.
ROOMS = {
    "swarm": (), "reward": ("swarm",), "data": ("swarm", "reward"), "learn": ("swarm", "reward", "data"),
    "run": ("swarm", "reward", "data", "learn"),
    "contract": ("swarm", "reward", "data", "learn", "run"),
}
# ref is the oracle of the others: it shares no code with them, nor they with it.
ACTS_OF_F32 = ("engine/muon.c",)  # whose products run on a backend's f32 twin
SEALED = ("kernels/ref/", "kernels/cpu/", "kernels/cuda/", "kernels/emu/", "kernels/far/")
SYSTEM = set("""tuple ucontext.h
ctype.h errno.h fcntl.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h pthread.h sched.h
setjmp.h signal.h
spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h
strings.h time.h unistd.h dirent.h fnmatch.h getopt.h poll.h termios.h sys/file.h sys/ioctl.h sys/mman.h
sys/random.h sys/resource.h
sys/stat.h sys/syscall.h sys/time.h sys/types.h sys/utsname.h sys/vfs.h sys/wait.h sys/auxv.h sys/prctl.h
execinfo.h arpa/inet.h netinet/in.h sys/socket.h asm/prctl.h linux/membarrier.h cpuid.h dlfcn.h""".split())
# Library code never prints, exits, aborts or reads the environment: cli/ does.
FORBIDDEN = re.compile(
    r"(?<![\w.>])(printf|vprintf|puts|putchar|putc|perror|exit|_exit|_Exit|quick_exit|atexit|abort|assert|getenv"
    r"|secure_getenv|setenv|putenv|system|popen|setlocale|isatty)\s*\(|\b(stdout|stderr|stdin|environ)\b")
ALLOWED = {("core/status.c", "stderr"), ("core/status.c", "abort")}  # parl_abort: our bug, said before it ends
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_noise(text):
    """The text with comments and literals blanked out, lines kept."""
    return NOISE.sub(lambda m: "\n" * m.group(0).count("\n") + " ", text)


def third_party_home(header):
    """The folder that owns a third-party header, or None."""
    for folder, (_, headers) in LAYERS.items():
        for owned in headers:
            if header == owned or (owned.endswith("/") or owned in ("cuda", "cublas")) and header.startswith(owned):
                return folder
    return None


def room_of(path):
    """"swarm" of parl/swarm/facts.h; "" outside parl/ and in none of its rooms."""
    parts = path.split("/")
    return parts[1] if parts[0] == "parl" and len(parts) > 2 and parts[1] in ROOMS else ""


def check_room(path, header):
    here, there = room_of(path), room_of(header)
    if here and there and there != here and there not in ROOMS[here]:
        return 'parl/%s/ may not include parl/%s/ ("%s")' % (here, there, header)
    if here and there and there != here and header.endswith("_internal.h"):
        return '"%s" is shared inside parl/%s/ only' % (header, there)
    return None


def check_include(path, folder, kind, header):
    if kind == "<":
        home = third_party_home(header)
        if home is None:
            return None if header in SYSTEM else "<%s> is on no list: see SYSTEM and LAYERS in tests/layers.py" % header
        return None if home == folder else "<%s> belongs in %s/ only" % (header, home)
    target = header.split("/")[0]
    if "/" not in header or target not in LAYERS:
        return '"%s" is not spelled from the root' % header
    if target == folder:
        for sealed in SEALED:
            if header.startswith(sealed) and not path.startswith(sealed) and path.startswith(SEALED):
                return '%s shares nothing with %s' % (os.path.dirname(path), sealed)
        return check_room(path, header)
    if target not in LAYERS[folder][0]:
        return '%s/ may not include %s/ ("%s")' % (folder, target, header)
    if header.endswith("_internal.h"):
        return '"%s" is shared inside %s/ only' % (header, target)
    return None


DECLARED = re.compile(r"^(?:[A-Za-z_][\w \t*]*?[ \t*])(parl_\w+)\(", re.M)
MEMBER = re.compile(r"\(\*(\w+)\)\(")
OP_ROW = re.compile(r"^#define PARL_\w*OP_LIST\(X\)((?:.*\\\n)*.*)", re.M)
CALL = re.compile(r"(->|\.)?\s*\b([A-Za-z_]\w*)\s*\(")


def declarations(root):
    """What headers declare: {function: folder}, {member that is a function pointer: folders}. A row of an op list is
    a member."""
    functions, members = {}, {}
    for path in files_of(root):
        if not path.endswith(".h"):
            continue
        folder = path.split("/")[0]
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = without_noise(file.read())
        for name in DECLARED.findall(text):
            functions.setdefault(name, folder)
        rows = [row for body in OP_ROW.findall(text) for row in re.findall(r"\bX\((\w+),", body)]
        for name in MEMBER.findall(text) + rows:
            members.setdefault(name, set()).add(folder)
    return functions, members


def below(folder):
    """The folders that lie under one, at any depth."""
    found = set()
    for lower in LAYERS[folder][0]:
        found |= {lower} | below(lower)
    return found


def check_call(folder, declared, is_member, name):
    """A layer that one may not include is not reached through another one's object or header either."""
    allowed = LAYERS[folder][0] + (folder,)
    functions, members = declared
    homes = members.get(name, set()) if is_member else {functions.get(name, folder)}
    if is_member and not homes <= below(folder):
        homes = set() # a name of one's own, or of no concern
    if homes and not homes & set(allowed):
        return "%s/ may not call %s, which belongs to %s/" % (folder, name, sorted(homes)[0])
    return None


def files_of(root):
    for folder in LAYERS:
        for where, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                if name.endswith((".c", ".h", ".cu", ".cuh", ".cc")):
                    yield os.path.relpath(os.path.join(where, name), root).replace(os.sep, "/")


def check_file(root, path, declared):
    folder = path.split("/")[0]
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            why = check_include(path, folder, match.group(1), match.group(2))
            if why:
                found.append((path, number, why))
    if folder == "parl" and not room_of(path):
        found.append((path, 1, "in no room of parl/: " + ", ".join(sorted(ROOMS))))
    for number, line in enumerate(without_noise(text).splitlines(), 1):
        for member, name in CALL.findall(line):
            why = check_call(folder, declared, member != "", name)
            if why:
                found.append((path, number, why))
    if folder != "kernels":
        for number, line in enumerate(text.splitlines(), 1):
            if "PARL_ACT_IS_FLOAT" in line or ("parl_act_of_" in line and path not in ACTS_OF_F32):
                found.append((path, number, "an operand (parl_act) is no float outside kernels/"))
    if folder != "cli":
        for number, line in enumerate(without_noise(text).splitlines(), 1):
            for match in FORBIDDEN.finditer(line):
                word = match.group(1) or match.group(2)
                if (path, word) not in ALLOWED and not line.lstrip().startswith("#"):
                    found.append((path, number, "%s: only cli/ prints, exits or reads the environment" % word))
    return found


def check(root):
    found, n_files = [], 0
    declared = declarations(root)
    for path in files_of(root):
        n_files += 1
        if path.startswith("envs/"):
            found.append((path, 1, "envs/ holds Lua files only"))
        else:
            found += check_file(root, path, declared)
    return found, n_files


PLANTED = {  # path: (text, what must be said)
    "core/a.c": ('#include "parl/reward/reward.h"\n', "core/ may not include parl/"),
    "core/b.c": ("#include <lua.h>\n", "<lua.h> belongs in lua/ only"),
    "core/c.c": ("#include <curl/curl.h>\n", "on no list"),
    "core/d.c": ('#include "arena.h"\n', "not spelled from the root"),
    "core/e.c": ("void f(void) {\n  printf(\"x\");\n}\n", "printf: only cli/"),
    "core/f.c": ("void f(void) {\n  fprintf(stderr, \"x\");\n}\n", "stderr: only cli/"),
    "core/g.c": ("void f(void) { exit(1); }\n", "exit: only cli/"),
    "kernels/a.c": ('#include "engine/model.h"\n', "kernels/ may not include engine/"),
    "kernels/ref/b.c": ('#include "kernels/cpu/x.h"\n', "shares nothing"),
    "engine/a.c": ('#include "lua/env.h"\n', "engine/ may not include lua/"),
    "engine/b.c": ('#include "core/json_internal.h"\n', "shared inside core/ only"),
    "lua/a.c": ('#include "parl/swarm/facts.h"\n', "lua/ may not include parl/"),
    "lua/b.c": ("const char *f(void) { return getenv(\"X\"); }\n", "getenv: only cli/"),
    "parl/a.c": ("int x;\n", "in no room"),
    "parl/run/a.c": ('#include "kernels/ops.h"\n', "parl/ may not include kernels/"),
    "parl/run/b.c": ("#include <gsl/gsl_cdf.h>\n", "<gsl/gsl_cdf.h> belongs in experiments/ only"),
    "parl/swarm/a.c": ('#include "parl/run/recipe.h"\n', "parl/swarm/ may not include parl/run/"),
    "parl/reward/a.c": ('#include "parl/learn/batch.h"\n', "parl/reward/ may not include parl/learn/"),
    "parl/learn/a.c": ('#include "parl/contract/conformance.h"\n', "parl/learn/ may not include parl/contract/"),
    "parl/contract/a.c": ('#include "parl/run/x_internal.h"\n', "shared inside parl/run/ only"),
    "parl/learn/b.c": ("void f(const parl_backend *b) {\n  b->matmul(&(args){0});\n}\n", "parl/ may not call matmul"),
    "parl/learn/c.c": ("void f(struct s *s) { s->model.backend.peak(1); }\n", "parl/ may not call peak"),
    "parl/learn/d.c": ("void f(void) {\n  parl_backend_zero(0);\n}\n", "parl/ may not call parl_backend_zero"),
    "experiments/b.c": ("void f(void) { parl_model_step(0); }\n", "experiments/ may not call parl_model_step"),
    "core/h.c": ("void f(void) {\n  parl_model_step (0);\n}\n", "core/ may not call parl_model_step"),
    "experiments/a.c": ('#include "engine/model.h"\n', "experiments/ may not include engine/"),
    "engine/c.c": ('#define PARL_ACT_IS_FLOAT\n#include "kernels/ops.h"\n', "is no float"),
    "engine/d.c": ("parl_act *f(float *x) { return parl_act_of_f32(x); }\n", "is no float"),
    "envs/a.c": ("int x;\n", "Lua files only"),
}
INNOCENT = {
    "core/status.c": "#include <stdio.h>\nvoid f(void) {\n  fprintf(stderr, \"x\");\n  abort();\n}\n",
    "core/ok.c": "/* stderr, exit(1) */\n#include <nettle/sha2.h>\n"
                 "const char *f(void) { return \"printf(\"; } // abort()\n"
                 "void g(struct s *s) { s->exit(1); lua_exit(2); snprintf(0, 0, \"%d\", 1); }\n",
    "engine/ok.c": '#include "core/arena.h"\n#include "engine/x_internal.h"\n#include "kernels/ops.h"\n',
    "kernels/ops.h": "#define PARL_VECTOR_OP_LIST(X) \\\n  X(matmul, 0.0, \"a\") \\\n  X(visit, 0.0, \"b\")\n"
                     "typedef struct parl_backend {\n  double (*peak)(double ms);\n} parl_backend;\n"
                     "void parl_backend_zero(int x);\n",
    "engine/model.h": '#include "kernels/ops.h"\nparl_status parl_model_step(struct parl_model *model);\n',
    "engine/model.c": "void f(const parl_backend *b) {\n  b->matmul(0);\n  parl_backend_zero(0);\n}\n",
    "parl/swarm/ok.h": "struct observer { int (*visit)(int x); };\n",
    "parl/reward/ok.c": '#include "parl/swarm/ok.h"\n/* b->matmul(0) */\n'
                        "void g(struct s *s) { s->visit(1); matmul(2); parl_model_step(0); }\n",
    "parl/contract/ok.c": '#include "parl/run/recipe.h"\n',
    "cli/main.c": '#include <stdio.h>\n#include "experiments/report.h"\nint main(void) { printf("x"); exit(0); }\n',
}


def self_test():
    with tempfile.TemporaryDirectory() as root:
        for path, text in [(p, t) for p, (t, _) in PLANTED.items()] + list(INNOCENT.items()):
            os.makedirs(os.path.join(root, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        found, _ = check(root)
    said = {path: why for path, _, why in found}
    wrong = ["missed: %s (%s)" % (p, why) for p, (_, why) in PLANTED.items() if why not in said.get(p, "")]
    wrong += ["false alarm: %s: %s" % (p, said[p]) for p in INNOCENT if p in said]
    for line in wrong:
        print("layers self-test: " + line)
    if not wrong:
        print("layers self-test: %d planted breaches found, %d innocent files passed" % (len(PLANTED), len(INNOCENT)))
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found, n_files = check(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for path, number, why in found:
        print("%s:%d: %s" % (path, number, why))
    print("layers: %d files, %d breaches" % (n_files, len(found)))
    return 1 if found or n_files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
