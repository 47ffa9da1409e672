#!/usr/bin/env python3
"""Compares parl with transformers on random configs, both ways; run by hand, as make_goldens.py is.

usage: compare.py PARL [--cases N] [--seed S] [--kind mla|llama] [--verbose]
Every case is a tiny random checkpoint. transformers writes it and `parl model logits --grads` reads it;
`parl model export` writes it anew and transformers reads that. Errors are the largest difference over the
largest element, per tensor, of transformers in f32, and of a run of transformers in f64 (its casts to f32
redirected), which says whose rounding it is.
"""
import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings

import torch
from safetensors.torch import load_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from make_goldens import published_gradients, randomise


@contextlib.contextmanager
def in_double():
    """transformers casts to f32 inside norms, router, softmax and RoPE: here those names mean f64."""
    single, cast = torch.float32, torch.Tensor.float
    torch.set_default_dtype(torch.float64)
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float32 = torch.float = single
        torch.Tensor.float = cast
        torch.set_default_dtype(single)


def random_rope(rng):
    theta = rng.choice([100.0, 5000.0, 10000.0, 50000.0])
    kind = rng.random()
    if kind < 0.5:
        return {"rope_type": "default", "rope_theta": theta}
    rope = {"rope_type": "yarn", "rope_theta": theta, "factor": rng.choice([1.5, 4.0, 8.0, 40.0]),
            "original_max_position_embeddings": rng.choice([8, 16, 30])}
    for key, values in (("beta_fast", [2.0, 4.0, 32.0]), ("beta_slow", [0.5, 1.0]), ("mscale", [0.707, 1.0]),
                        ("mscale_all_dim", [0.5, 0.707, 1.0]), ("attention_factor", [1.1])):
        if rng.random() < (0.15 if key == "attention_factor" else 0.6):
            rope[key] = rng.choice(values)
    return rope


def random_mla(rng):
    n_group = rng.choice([1, 1, 1, 2, 3, 4])
    n_experts = n_group * rng.randint(2, 5) if n_group > 1 else rng.randint(2, 12)
    topk_group = rng.randint(1, n_group)
    n_layers, n_heads = rng.randint(1, 4), rng.randint(1, 5)
    return {"vocab_size": rng.randint(20, 90), "hidden_size": rng.randint(5, 60),
            "intermediate_size": rng.randint(3, 70), "moe_intermediate_size": rng.randint(1, 30),
            "num_hidden_layers": n_layers, "num_attention_heads": n_heads, "num_key_value_heads": n_heads,
            "n_shared_experts": rng.randint(0, 3), "n_routed_experts": n_experts,
            "num_experts_per_tok": rng.randint(1, max(1, topk_group * (n_experts // n_group))),
            "n_group": n_group, "topk_group": topk_group,
            "first_k_dense_replace": rng.randint(0, n_layers), "norm_topk_prob": rng.random() < 0.7,
            "routed_scaling_factor": rng.choice([1.0, 1.5, 2.827]),
            "q_lora_rank": rng.choice([None, rng.randint(1, 30)]), "kv_lora_rank": rng.randint(1, 30),
            "qk_nope_head_dim": rng.randint(1, 20), "qk_rope_head_dim": 2 * rng.randint(1, 8),
            "v_head_dim": rng.randint(1, 24), "rms_norm_eps": rng.choice([1e-5, 1e-6]),
            "max_position_embeddings": 128, "num_nextn_predict_layers": 0, "tie_word_embeddings": False,
            "rope_parameters": random_rope(rng)}


def random_llama(rng):
    n_kv = rng.randint(1, 3)
    n_heads = n_kv * rng.randint(1, 3)
    return {"vocab_size": rng.randint(20, 90), "hidden_size": n_heads * rng.randint(3, 12),
            "intermediate_size": rng.randint(3, 70), "num_hidden_layers": rng.randint(1, 4),
            "num_attention_heads": n_heads, "num_key_value_heads": n_kv, "head_dim": 2 * rng.randint(1, 12),
            "rms_norm_eps": rng.choice([1e-5, 1e-6]), "max_position_embeddings": 128,
            "tie_word_embeddings": False, "rope_parameters": random_rope(rng)}


KINDS = {"mla": (random_mla, DeepseekV3Config, DeepseekV3ForCausalLM),
         "llama": (random_llama, LlamaConfig, LlamaForCausalLM)}


def build(kind, settings, seed):
    config = KINDS[kind][1](**settings)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = KINDS[kind][2](config).eval()
    randomise(model, seed)
    return model


def run(model, tokens):
    logits = model(tokens).logits
    flat = logits[:, :-1].reshape(-1, logits.shape[-1])
    torch.nn.functional.cross_entropy(flat, tokens[:, 1:].reshape(-1)).backward()
    out = {"logits": logits.detach()}
    for key, value in published_gradients(model).items():
        out["grad." + key] = torch.zeros(()) if value is None else value
    return out


def difference(got, due):
    scale = due.double().abs().max().item() if due.numel() else 0.0
    error = (got.double() - due.double()).abs().max().item() if due.numel() else 0.0
    return error, scale


def worst_errors(got, due):
    found = []
    for key, value in due.items():
        if value.numel() == 0:
            continue
        error, scale = difference(got[key].reshape(value.shape), value)
        found.append((error / scale if scale > 0 else (float("inf") if error > 0 else 0.0), key, error, scale))
    return max(found, key=lambda f: f[0]), found


def smallest_gap(model, tokens):
    """How near any token's choice of experts is to another one."""
    gaps = []

    def look(module, inputs, _):
        scores = torch.nn.functional.linear(inputs[0].reshape(-1, inputs[0].shape[-1]), module.weight).sigmoid()
        choice = scores + module.e_score_correction_bias
        if module.num_group > 1:
            best = choice.view(len(choice), module.num_group, -1).topk(2, dim=-1)[0].sum(-1).sort(-1).values
            if module.topk_group < module.num_group:
                gaps.append((best[:, -module.topk_group] - best[:, -module.topk_group - 1]).min().item())
        ranked = choice.sort(-1).values
        gaps.append((ranked[:, 1:] - ranked[:, :-1]).min().item())

    hooks = [m.register_forward_hook(look) for m in model.modules() if type(m).__name__.endswith("TopkRouter")]
    with torch.no_grad():
        model(tokens)
    for hook in hooks:
        hook.remove()
    return min(gaps, default=1.0)


def check(parl, kind, settings, seed, verbose):
    """Returns (error against f32, of transformers' f32, of parl against f64, of what parl exported)."""
    model = build(kind, settings, seed)
    length = 24
    tokens = torch.randint(0, settings["vocab_size"], (2, length), generator=torch.Generator().manual_seed(seed))
    with in_double():
        exact = build(kind, settings, seed)
        exact.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
        gap = smallest_gap(exact, tokens)
        exact_out = run(exact, tokens)
    out = run(model, tokens)
    with tempfile.TemporaryDirectory() as folder:
        saved, anew, text, result = (os.path.join(folder, n) for n in ("hf", "parl", "t.json", "out.safetensors"))
        model.save_pretrained(saved)
        with open(text, "w", encoding="utf-8") as file:
            json.dump({"tokens": tokens.tolist()}, file)
        logits = [parl, "model", "logits", saved, "--tokens", text, "-o", result, "--grads"]
        subprocess.run(logits, check=True)
        got = load_file(result)
        subprocess.run([parl, "model", "export", saved, "-o", anew], check=True, stdout=subprocess.DEVNULL)
        reread = KINDS[kind][2].from_pretrained(anew, dtype=torch.float32, attn_implementation="eager").eval()
        reread.config._experts_implementation = "eager"
        exported = run(reread, tokens)["logits"]
    against, found = worst_errors(got, out)
    theirs, _ = worst_errors(out, exact_out)
    ours, ours_all = worst_errors(got, exact_out)
    error, scale = difference(exported, out["logits"])
    if verbose or against[0] > 1e-5:
        print("  differs most in %s: %.1e of %.1e; parl to f64 %.1e (%s); transformers to f64 %.1e (%s); gap %.1e" % (
            against[1], against[2], against[3], ours[0], ours[1], theirs[0], theirs[1], gap))
        for relative, key, absolute, size in sorted(found, reverse=True)[:4]:
            mine = [f for f in ours_all if f[1] == key][0]
            print("    %-60s %.1e of %.1e; parl to f64 %.1e" % (key, absolute, size, mine[0]))
    return against[0], theirs[0], ours[0], error / scale


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parl")
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, default="mla")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")
    beyond = 0
    for i in range(args.seed, args.seed + args.cases):
        rng = random.Random(i)
        settings = KINDS[args.kind][0](rng)
        errors = check(args.parl, args.kind, settings, i, args.verbose)
        beyond += errors[0] > 1e-5
        print("%-4d parl to transformers %.1e, transformers to f64 %.1e, parl to f64 %.1e, exported %.1e" % (
            (i,) + errors), flush=True)
        if errors[0] > 1e-5:
            print("  " + json.dumps(settings))
    print("%d of %d beyond 1e-5" % (beyond, args.cases))
    return beyond > 0


if __name__ == "__main__":
    sys.exit(main())
