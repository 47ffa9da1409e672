#!/usr/bin/env python3
"""Checks what nvcc has made of kernels/cuda: registers, shared memory and spills against a budget; words of PTX.

check_build.py BASE...          BASE.log is what ptxas said of a file, BASE.keep/ holds its PTX
check_build.py --write BASE...  writes kernels/cuda/budget.txt anew
Registers are held against the budget for the nvcc that it was written with; all else for every one.
"""
import glob
import os
import re
import subprocess
import sys

BUDGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../kernels/cuda/budget.txt")
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\w+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+) bytes smem")
# Each: a pattern of PTX, what it is, and the files that may have it.
FORBIDDEN = [
    (re.compile(r"\b(ld|st)\.local\b"), "local memory", ()),
    (re.compile(r"\b(atom|red)\."), "an atomic operation", ()),
    (re.compile(r"\b(shfl|vote)\.(up|down|bfly|idx|any|all|uni|ballot)\.(b32|pred)\b"),
     "a warp operation without a mask", ()),
    (re.compile(r"\b(add|sub|mul|fma|div|sqrt|cvt)\.(\w+\.)*f64\b"), "double precision",
     ("sample", "optimizer", "router", "copy")),
]


def nvcc_version():
    text = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"release ([\d.]+)", text).group(1)


def demangle(names):
    text = subprocess.run(["c++filt", "-p"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, text.splitlines()))


def read_log(base):
    """{(mangled name, sm): [registers, static shared bytes]} and complaints of one file."""
    found, wrong, entry = {}, [], None
    with open(base + ".log", encoding="utf-8") as file:
        for line in file:
            match = ENTRY.search(line)
            if match:
                entry = match.groups()
            match = SPILLS.search(line)
            if match and any(int(n) for n in match.groups()):
                wrong.append("%s: %s for sm_%s: %s" % ((base,) + (entry or ("?", "?")) + (line.strip(),)))
            match = USED.search(line)
            if match and entry:
                shared = SHARED.search(line)
                found[entry] = [int(match.group(1)), int(shared.group(1)) if shared else 0]
    return found, wrong


def check_ptx(base):
    wrong = []
    paths = glob.glob(base + ".keep/*.ptx")
    if not paths:
        return [base + ".keep: no PTX"]
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for pattern, what, allowed in FORBIDDEN:
                    if pattern.search(line) and os.path.basename(base) not in allowed:
                        wrong.append("%s:%d: %s: %s" % (path, number, what, line.strip()))
                        break
    return wrong[:5]


def read_budget():
    with open(BUDGET, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]
    budget = {}
    for line in lines[1:]:
        file, sm, registers, shared, kernel = line.split(" ", 4)
        budget[file, kernel, sm] = [int(registers), int(shared)]
    return lines[0].split()[1], budget


def write_budget(version, found):
    with open(BUDGET, "w", encoding="utf-8") as out:
        out.write("# What kernels may use: file, sm, registers of a thread, static shared bytes, kernel.\n")
        out.write("# Written by `make cuda-build BUDGET_FLAGS=--write`.\nnvcc %s\n" % version)
        for (file, kernel, sm), (registers, shared) in sorted(found.items()):
            out.write("%s %s %d %d %s\n" % (file, sm, registers, shared, kernel))


def compare(version, found):
    written, budget = read_budget()
    wrong = []
    for key in sorted(set(found) | set(budget)):
        is_there, allowed = found.get(key), budget.get(key)
        name = "%s: %s for sm_%s" % key
        if is_there is None or allowed is None:
            wrong.append("%s is %s kernels/cuda/budget.txt" % (name, "not in" if allowed is None else "only in"))
        elif is_there[1] > allowed[1] or (version == written and is_there[0] > allowed[0]):
            wrong.append("%s: %d registers, %d bytes shared; %d and %d allowed" % ((name,) + tuple(is_there + allowed)))
    return wrong


def main(arguments):
    write = "--write" in arguments
    found, wrong = {}, []
    for base in [a for a in arguments if not a.startswith("--")]:
        kernels, complaints = read_log(base)
        names = demangle(sorted({name for name, _ in kernels}))
        for (name, sm), used in kernels.items():
            kernel = re.sub(r"^void ", "", names[name]).split("(", 1)[0]
            key = (os.path.basename(base), kernel, sm)
            found[key] = [max(a, b) for a, b in zip(used, found.get(key, used))]
        wrong += complaints + check_ptx(base)
    version = nvcc_version()
    if write:
        write_budget(version, found)
    else:
        wrong += compare(version, found)
    for line in wrong:
        print(line, file=sys.stderr)
    cards = ", ".join(sorted({"sm_" + key[2] for key in found}))
    verdict = "%d complaints" % len(wrong) if wrong else "within the budget"
    print("%d kernels for %s, nvcc %s: %s" % (len({key[:2] for key in found}), cards, version, verdict))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
