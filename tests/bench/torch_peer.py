#!/usr/bin/env python3
"""parl bench beside PyTorch, on the same shapes, in turns: `make bench-peers`, or
torch_peer.py --parl PROGRAM [--rounds N] [--seconds S] [--shapes A,B] [--jobs train,decode] [--dtypes f32,bf16]
              [--no-compile] [--one-core] [--avx2]

The same network (RMSNorm, rotary pairs, causal attention, SwiGLU, untied head; as many parameters, which is checked)
and the same work: training is forward, cross-entropy, backward, clipping and AdamW over one batch; decoding is 512
contexts with a cache, together, timed at evenly spaced positions. PyTorch runs in f32 and bf16 (training: autocast;
decoding: bf16 weights and cache), eager and compiled. A round measures every variant once, then parl; a ratio is of
neighbours in time. --one-core is for a machine that others use: one thread each, timed by what the processor gave.
--avx2 holds both to AVX2, as a processor without AVX-512 would.
Prints a Markdown table; ends with one line, and code 0, where there is no PyTorch.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
if "--avx2" in sys.argv:  # read when PyTorch starts
    os.environ.update(AVX2)

try:
    import torch
    import torch._dynamo
    import torch.nn.functional as F
except ImportError:
    print("bench-peers: skipped, no PyTorch (pip install torch==2.13.0)")
    sys.exit(0)

# layers, width, heads, inner width, sequence, batch; as in engine/bench.c
SHAPES = {"A": (4, 128, 4, 344, 128, 64), "B": (6, 256, 8, 688, 256, 32)}
VOCAB, CONTEXTS, POSITIONS, LEARNING_RATE, CLIP, EPS = 512, 512, 8, 1e-3, 1.0, 1e-5


def rotate(x, cos, sin):
    """x [..., D] by pairs; cos and sin broadcast to [..., D/2]."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Layer(torch.nn.Module):
    def __init__(self, width, heads, inner):
        super().__init__()
        linear = lambda n, k: torch.nn.Linear(k, n, bias=False)
        self.heads = heads
        self.norm1, self.norm2 = torch.nn.RMSNorm(width, EPS), torch.nn.RMSNorm(width, EPS)
        self.qkv, self.o = linear(3 * width, width), linear(width, width)
        self.gate_up, self.down = linear(2 * inner, width), linear(width, inner)

    def project(self, x, cos, sin):
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(self.norm1(x)).chunk(3, -1))
        return rotate(q, cos, sin), rotate(k, cos, sin), v

    def finish(self, x, mixed):
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(torch.nn.Module):
    def __init__(self, shape):
        super().__init__()
        layers, width, heads, inner, self.sequence, self.batch = SHAPES[shape]
        self.embedding = torch.nn.Embedding(VOCAB, width)
        self.layers = torch.nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        self.norm, self.head = torch.nn.RMSNorm(width, EPS), torch.nn.Linear(width, VOCAB, bias=False)
        for p in self.parameters():
            if p.dim() > 1:
                torch.nn.init.normal_(p, std=0.02)
        half = torch.arange(width // heads // 2) * 2 / (width // heads)
        angle = torch.arange(self.sequence)[:, None] * 10000.0 ** -half[None]
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())
        self.cache_shape = (layers, 2, CONTEXTS, heads, self.sequence, width // heads)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            q, k, v = layer.project(x, self.cos, self.sin)
            x = layer.finish(x, F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return self.head(self.norm(x))

    def decode(self, tokens, cache, position):
        """Logits [contexts, 1, V] of one token each [contexts, 1]; cache [L, 2, contexts, H, T, D] is written."""
        x = self.embedding(tokens)
        cos, sin = self.cos[position], self.sin[position]
        for layer, (keys, values) in zip(self.layers, cache):
            q, k, v = layer.project(x, cos, sin)
            keys[:, :, position], values[:, :, position] = k[:, :, 0], v[:, :, 0]
            seen = slice(position + 1)
            x = layer.finish(x, F.scaled_dot_product_attention(q, keys[:, :, seen], values[:, :, seen]))
        return self.head(self.norm(x))


class Variant:
    """One way to run one row: repeat() does it once and returns tokens/s."""

    def __init__(self, job, shape, dtype, compiled, clock):
        self.name = "%s %s" % (dtype, "compiled" if compiled else "eager")
        self.clock, self.job, self.dtype = clock, job, {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
        torch.manual_seed(1)
        self.model = Model(shape)
        self.n_params = sum(p.numel() for p in self.model.parameters())
        if job == "train":
            self.optimizer = torch.optim.AdamW(self.model.parameters(), LEARNING_RATE, fused=True)
            self.tokens = torch.randint(VOCAB, (self.model.batch, self.model.sequence + 1))
            self.step = torch.compile(self.loss) if compiled else self.loss
        else:
            self.model = self.model.to(self.dtype)
            self.cache = torch.zeros(self.model.cache_shape, dtype=self.dtype)
            self.tokens = torch.randint(VOCAB, (CONTEXTS, 1))
            self.step = torch.compile(self.model.decode, dynamic=True) if compiled else self.model.decode
        self.speeds = []
        self.repeat()
        self.repeat()

    def loss(self, tokens):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            logits = self.model(tokens[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())

    def train(self):
        start = self.clock()
        loss = self.step(self.tokens)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        assert math.isfinite(loss.item())
        return self.tokens.shape[0] * (self.tokens.shape[1] - 1) / (self.clock() - start)

    def decode(self):
        start = self.clock()
        with torch.inference_mode():
            for i in range(POSITIONS):
                logits = self.step(self.tokens, self.cache, (2 * i + 1) * self.model.sequence // (2 * POSITIONS))
        assert math.isfinite(logits[0, 0, 0].item())
        return CONTEXTS * POSITIONS / (self.clock() - start)

    def repeat(self):
        return self.train() if self.job == "train" else self.decode()

    def measure(self, seconds):
        """Median speed of at least `seconds`, into speeds."""
        start, speeds = time.perf_counter(), []
        while not speeds or time.perf_counter() - start < seconds:
            speeds.append(self.repeat())
        self.speeds.append(sorted(speeds)[len(speeds) // 2])


def make_variants(args, job, shape):
    torch._dynamo.config.recompile_limit = 64  # one function, several models and positions
    variants, clock = [], time.process_time if args.one_core else time.perf_counter
    for dtype in args.dtypes.split(","):
        for compiled in (False,) if args.no_compile else (False, True):
            try:
                variants.append(Variant(job, shape, dtype, compiled, clock))
            except Exception as error:  # no compiler, or a shape it cannot compile: eager remains
                reason = (str(error).splitlines() or ["?"])[0][:100]
                print("%s_%s %s %s: left out (%s: %s)" % (job, shape, dtype, "compiled" if compiled else "eager",
                                                          type(error).__name__, reason), file=sys.stderr)
    return variants


def run_parl(args, row, dtype):
    """(dtype, tokens/s, percent of its peak, parameters); dtype "auto" is bf16 where the CPU has units for it."""
    command = [args.parl, "bench", "--json", "--dtype", dtype, "--shapes", row, "--seconds", str(args.seconds),
               "--backend", "cpu:avx2" if args.avx2 else "cpu"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    given = result["cpu_share"] if args.one_core else 1.0
    return result["dtype"], result["tokens_per_s"] / given, result["percent_of_peak"] / given, result["parameters"]


def middle(values):
    return sorted(values)[len(values) // 2]


def compare(args, job, shape):
    row = "%s_%s" % (job, shape)
    variants, ours, peak = make_variants(args, job, shape), {}, {}
    for _ in range(args.rounds):
        for v in variants:
            v.measure(args.seconds)
        for asked in ("f32",) if args.avx2 else ("f32", "auto"):
            dtype, speed, percent, n_params = run_parl(args, row, asked)
            assert n_params == variants[0].n_params, "the models differ"
            if dtype == asked or dtype != "f32":
                ours.setdefault(dtype, []).append(speed)
                peak.setdefault(dtype, []).append(percent)
    theirs = max(variants, key=lambda v: max(v.speeds))
    best = max(ours, key=lambda d: max(ours[d]))
    ratios = [o / s for o, s in zip(ours[best], theirs.speeds)]
    f32 = max(ours["f32"]) / max(max(v.speeds) for v in variants if v.dtype == torch.float32)
    print("| `%s` | %s | %s | %.2f | **%.2f** | %.2f [%.2f, %.2f] |" %
          (row, ", ".join("%s %.0f" % (v.name, max(v.speeds)) for v in variants),
           ", ".join("%s %.0f (%.0f %%)" % (d, max(ours[d]), max(peak[d])) for d in ours), f32,
           max(ours[best]) / max(theirs.speeds), middle(ratios), min(ratios), max(ratios)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parl", required=True, help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each variant in each round")
    parser.add_argument("--shapes", default="A,B")
    parser.add_argument("--jobs", default="train,decode")
    parser.add_argument("--dtypes", default="f32,bf16", help="of PyTorch, f32 among them")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--one-core", action="store_true")
    parser.add_argument("--avx2", action="store_true")
    args = parser.parse_args()
    if args.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    print("PyTorch %s, %s, %d threads; best of %d rounds, tokens/s" %
          (torch.__version__, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), args.rounds))
    print("\n| row | PyTorch | parl (of its peak) | ratio in f32 | of the fastest | median [least, most] of rounds |")
    print("|---|---|---|--:|--:|--:|")
    for shape in args.shapes.split(","):
        for job in args.jobs.split(","):
            compare(args, job, shape)


if __name__ == "__main__":
    main()
