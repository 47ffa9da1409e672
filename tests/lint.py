#!/usr/bin/env python3
"""Style checks; each prints its findings and counts as one test. Ends with `N passed, N failed, N skipped`.

The format of C is clang-format 14's: other versions differ in small things, so there the check is skipped.
Sizes: a line <= 100 columns is a rule, a function <= 60 lines is advice (listed), a file <= 600 lines is a rule with
exceptions, each with its reason, in tests/size_exceptions.txt.
"""
import concurrent.futures
import fnmatch
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINE, FUNCTION, FILE = 100, 60, 600
# What may be written as long as the program lives: symbol: where and why.
MUTABLE = {
    "error_text": "core/status.c: one for each thread",
    "running": "lua/watchdog.c: one for each thread; a signal handler has no other way to its object",
    "own_thread": "lua/watchdog.c: one for each thread, beside it",
    "blocks": "kernels/far/memory.c: a handler of a signal has no other way to what it must recognise",
    "n_blocks": "kernels/far/memory.c: beside them",
    "lock": "kernels/far/memory.c: around them",
    "before": "kernels/far/memory.c: the handler that was there",
    "last_op": "kernels/far/memory.c: one for each thread, for the line that the handler writes",
}


class Skip(Exception):
    pass


def run(*command, **options):
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, **options)


def all_files():
    """What git knows or would add; everything outside build/ and runs/ where this is no checkout."""
    listing = run("git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard")
    if listing.returncode == 0:
        paths = listing.stdout.split("\n")
    else:
        walk = [(os.path.relpath(w, ROOT), names) for w, _, names in os.walk(ROOT)]
        paths = [os.path.normpath(os.path.join(w, n)) for w, names in walk for n in names]
        paths = [p for p in paths if not p.startswith(("build/", "runs/", ".git/"))]
    return sorted(p for p in set(paths) if p and os.path.isfile(os.path.join(ROOT, p)))


def listed(*patterns):
    found = [p for p in FILES if any(fnmatch.fnmatch(p, pattern) for pattern in patterns)]
    if not found:
        raise Skip("no file is called " + " or ".join(patterns))
    return found


def lines_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read().split("\n")


def complaints(result):
    """The lines of a tool that ended badly; a tool that fails without a word is a complaint too."""
    if result.returncode == 0:
        return []
    said = [line for line in (result.stdout + result.stderr).split("\n") if line.strip()]
    return said or ["%s: exit code %d" % (result.args[0], result.returncode)]


def tool(name):
    if not shutil.which(name):
        raise Skip(name + " is not installed; run `make deps-test`")
    return name


CODE = ("*.c", "*.h", "*.cu", "*.cuh", "*.cc")


def check_format():
    name = tool(os.environ.get("CLANG_FORMAT", "clang-format"))
    version = re.search(r"version (\d+)", run(name, "--version").stdout)
    if not version or version.group(1) != "14":
        raise Skip("%s is version %s, the format is version 14's" % (name, version.group(1) if version else "?"))
    found = []
    for path in listed(*CODE):
        n = run(name, "--dry-run", path).stderr.count("[-Wclang-format-violations]")
        if n:
            found.append("%s: %d places; `make format`" % (path, n))
    return found


def check_lines():
    found = []
    for path in listed(*CODE, "*.lua", "Makefile", ".ci/*", "tests/*.py", "tests/run*", "*.sh"):
        limit = LINE if path.endswith((".lua",) + tuple(c[1:] for c in CODE)) else 120
        lines = lines_of(path)
        for number, line in enumerate(lines, 1):
            if len(line) > limit and path != "Makefile" and not path.startswith("lua/stubs/"):
                found.append("%s:%d: %d columns" % (path, number, len(line)))
            if line != line.rstrip():
                found.append("%s:%d: space at the end" % (path, number))
            if "\t" in line and path != "Makefile":
                found.append("%s:%d: tab" % (path, number))
        if lines[-1] != "":
            found.append("%s: no newline at the end" % path)
    return found


def check_files():
    exceptions = {}
    for line in lines_of("tests/size_exceptions.txt"):
        path, _, reason = line.partition(" ")
        if path and not path.startswith("#"):
            exceptions[path] = reason.strip()
    found = []
    for path in listed(*CODE, "*.lua", "*.py", "*.sh", "tests/run*"):
        n = len(lines_of(path)) - 1
        reason = exceptions.pop(path, None)
        if n > FILE and not reason:
            found.append("%s: %d lines: split it, or give a reason in tests/size_exceptions.txt" % (path, n))
        elif n <= FILE and reason is not None:
            found.append("tests/size_exceptions.txt: %s needs no exception any more" % path)
    return found + ["tests/size_exceptions.txt: no file %s" % p for p in exceptions]


def long_functions():
    """Advice: functions longer than FUNCTION lines, longest first."""
    found = []
    for path in listed("*.c", "*.cu", "*.cuh", "*.cc"):
        start = None
        for number, line in enumerate(lines_of(path), 1):
            if start is None and re.match(r"[A-Za-z_].*\)\s*\{$|[ ]{8,}.*\)\s*\{$", line):
                start = number
            elif line.startswith("}"):
                if start is not None and number - start + 1 > FUNCTION:
                    found.append((number - start + 1, "%s:%d" % (path, start)))
                start = None
    return ["%s: a function of %d lines" % (where, n) for n, where in sorted(found, reverse=True)]


def check_todo():
    found = []
    word = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
    for path in listed(*CODE, "*.lua", "*.sh", "Makefile", "*.mk", "*.md"):
        for number, line in enumerate(lines_of(path), 1):
            if word.search(line):
                found.append("%s:%d: write TODO(#issue) or do it" % (path, number))
    return found


def check_dead_code():
    assign, call = r"[\w.\[\]>*-]+\s*[-+*/]?=\s*[^=].*;", r"\w+\(.*\);"
    slashes = re.compile(r"^\s*(//|--)(?!-)\s*(return\b.*;|(if|for|while)\s*\(.*|%s|%s|[{}]+)\s*$" % (assign, call))
    boxed = re.compile(r"^\s*/\*\s*(return\b.*;|%s|%s)\s*\*/\s*$" % (assign, call))
    dead = re.compile(r"\s*#\s*if\s+0\b")
    found = []
    for path in listed(*CODE, "*.lua"):
        for number, line in enumerate(lines_of(path), 1):
            if slashes.match(line) or boxed.match(line) or dead.match(line):
                found.append("%s:%d: code in a comment" % (path, number))
    return found


def check_streams():
    """Random streams have their numbers in core/seeds.h, so that no two draw the same."""
    found = []
    for path in listed("*.c", "*.h"):
        if path.startswith("tests/") or path in ("core/rng.h", "core/rng.c", "core/seeds.h"):
            continue
        text = "\n".join(lines_of(path))
        for match in re.finditer(r"\bparl_rng_stream\(\s*(?!PARL_PURPOSE_)", text):
            line = text.count("\n", 0, match.start()) + 1
            found.append("%s:%d: a stream whose purpose is not one of core/seeds.h" % (path, line))
    return found


def check_guards():
    found = []
    for path in listed("*.h"):
        name = "PARL_" + re.sub(r"\W", "_", path).upper()
        text = "\n".join(lines_of(path))
        template = path.endswith("_impl.h")  # included once per instruction set
        if not template and not re.search(r"^#ifndef %s\n#define %s\n" % (name, name), text, re.M):
            found.append("%s: the guard is not %s" % (path, name))
        if path.split("/")[0] not in ("tests",) and not text.startswith("/* %s - " % path):
            found.append('%s: does not begin with "/* %s - what it is"' % (path, path))
    return found


def check_cppcheck():
    name = tool("cppcheck")
    os.makedirs(os.path.join(ROOT, "build/cppcheck"), exist_ok=True)
    result = run(name, "-j2", "--quiet", "--error-exitcode=1", "--std=c11", "--language=c", "-I.", "--platform=unix64",
                 "--enable=warning,performance,portability", "--inline-suppr", "--cppcheck-build-dir=build/cppcheck",
                 "--suppressions-list=tests/cppcheck_suppressions.txt", "--max-configs=2", "-D__x86_64__=1",
                 "-D__linux__=1", "--template={file}:{line}: {severity} ({id}): {message}",
                 *listed("*.c"))
    return complaints(result)


def check_luacheck():
    files = [path for path in listed("*.lua") if not path.startswith("lua/stubs/")]  # stubs define what others read
    return complaints(run(tool("luacheck"), "--no-color", "--codes", "--formatter", "plain", *files))


def check_syntax():
    found = []
    for path in listed("*.sh", ".ci/*", "tests/run*", "*.py"):
        first = lines_of(path)[0]
        if "python" in first or path.endswith(".py"):
            result = run(sys.executable, "-c", "import ast, sys; ast.parse(open(sys.argv[1]).read())", path)
        else:
            result = run("bash" if "bash" in first else "sh", "-n", path)
        if result.returncode:
            found.append("%s: %s" % (path, result.stderr.strip().split("\n")[-1]))
    return found


def check_links():
    found = []
    for path in listed("*.md"):
        for number, line in enumerate(lines_of(path), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line) + re.findall(r'src="([^"]+)"', line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                if not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                    found.append("%s:%d: no file %s" % (path, number, target))
    return found


def check_mutants():
    """Each line of tests/mutants.txt still changes something, in a file that is there, for a test that is there."""
    found = []
    for number, line in enumerate(lines_of("tests/mutants.txt"), 1):
        if not line or line.startswith("#"):
            continue
        path, rest = line.split("|", 1)
        script, test = rest.rsplit("|", 1)
        if not os.path.isfile(os.path.join(ROOT, path)):
            found.append("tests/mutants.txt:%d: no file %s" % (number, path))
        elif run("sed", "-e", script, path).stdout == "\n".join(lines_of(path)):
            found.append("tests/mutants.txt:%d: changes nothing in %s" % (number, path))
        if not test.startswith("cuda_") and "tests/%s.c" % test not in FILES:
            found.append("tests/mutants.txt:%d: no test %s" % (number, test))
    return found


def check_generated():
    return complaints(run(sys.executable, "docs/generate.py", "--check"))


def check_globals():
    """Writable data in the library: `No globals but const tables`."""
    library = os.environ.get("PARL_LIBRARY", "build/release/libparl.a")
    if not os.path.exists(os.path.join(ROOT, library)):
        raise Skip(library + " is not built")
    found, member = [], ""
    for line in run("objdump", "-t", library).stdout.split("\n"):
        match = re.match(r"(\S+\.o):", line)
        member = match.group(1) if match else member
        match = re.match(r"[0-9a-f]+ .{7} (\.t?data\S*|\.t?bss\S*|\*COM\*)\t([0-9a-f]+) +(?:\.hidden )?(\S+)", line)
        if match and not match.group(1).startswith((".data.rel.ro",)) and int(match.group(2), 16):
            name = match.group(3)
            if re.sub(r"\.\d+$", "", name) not in MUTABLE and name not in (".data", ".bss", ".tbss", ".tdata"):
                found.append("%s: %s is writable and lives as long as the program" % (member, name))
    return found


FILES = all_files()
CHECKS = (
    ("format", check_format), ("lines", check_lines), ("files", check_files), ("todo", check_todo),
    ("dead code", check_dead_code), ("headers", check_guards), ("streams", check_streams), ("globals", check_globals),
    ("cppcheck", check_cppcheck), ("luacheck", check_luacheck), ("syntax", check_syntax),
    ("links", check_links), ("generated docs", check_generated), ("mutants", check_mutants),
)


def attempt(function):
    try:
        return function()
    except Skip as why:
        return str(why)


def main():
    wanted = sys.argv[1:]
    passed = failed = skipped = 0
    chosen = [(n, f) for n, f in CHECKS if not wanted or n in wanted]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (name, _), found in zip(chosen, pool.map(lambda c: attempt(c[1]), chosen)):
            if isinstance(found, str):
                skipped += 1
                print("skip %s: %s" % (name, found))
                continue
            for line in found[:200]:
                print("     " + line)
            if len(found) > 200:
                print("     ... and %d more" % (len(found) - 200))
            print("%s %s%s" % ("not ok" if found else "ok", name, ": %d findings" % len(found) if found else ""))
            failed += bool(found)
            passed += not found
    advice = [] if wanted else attempt(long_functions)
    for line in [] if isinstance(advice, str) else advice:
        print("advice: " + line)
    if not FILES:
        print("there is nothing to check here")
        failed = 1
    if not chosen:
        print("no check is called %s; there are: %s" % (" ".join(wanted), ", ".join(n for n, _ in CHECKS)))
        failed = 1
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
