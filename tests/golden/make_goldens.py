#!/usr/bin/env python3
"""Makes tests/golden/<case>: a tiny random DeepseekV3ForCausalLM checkpoint, tokens, logits and gradients.

Only this script needs transformers: pip install torch==2.13.0 transformers==5.23.0 safetensors numpy
Every case is a checkpoint folder as published (config.json, model.safetensors or shards with an index),
tokens.json and golden.safetensors: logits [B,T,V], loss (mean next-token cross entropy),
grad.<tensor name>. All of it in f32 on the CPU.
"""
import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
STD = 0.15  # of the matrices: large, so that every part shows in the logits
YARN = {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 8.0, "original_max_position_embeddings": 16,
        "beta_fast": 4.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0}
BASE = {"vocab_size": 53, "hidden_size": 24, "intermediate_size": 40, "moe_intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "n_shared_experts": 1,
        "n_routed_experts": 6, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
        "norm_topk_prob": True, "routed_scaling_factor": 1.5, "q_lora_rank": 16, "kv_lora_rank": 12,
        "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 64, "num_nextn_predict_layers": 0, "tie_word_embeddings": False}
# name: (what differs from BASE, sequences, tokens of each, storage)
CASES = {
    "dense": ({"first_k_dense_replace": 2, "num_hidden_layers": 2}, 2, 11, "f32"),
    "moe": ({"num_hidden_layers": 3}, 3, 9, "f32"),
    "full_q": ({"q_lora_rank": None, "first_k_dense_replace": 0, "norm_topk_prob": False}, 2, 10, "f32"),
    "yarn": ({"rope_parameters": YARN, "qk_rope_head_dim": 8, "max_position_embeddings": 128}, 1, 40, "f32"),
    "yarn_mscale": ({"rope_parameters": dict(YARN, mscale=0.707, mscale_all_dim=0.5, factor=40.0),
                     "qk_rope_head_dim": 12, "first_k_dense_replace": 2}, 2, 33, "f32"),
    "yarn_plain": ({"rope_parameters": {k: v for k, v in YARN.items() if "mscale" not in k},
                    "first_k_dense_replace": 2}, 1, 21, "f32"),
    "groups": ({"n_routed_experts": 12, "n_group": 4, "topk_group": 2, "num_experts_per_tok": 3,
                "first_k_dense_replace": 0, "n_shared_experts": 2, "moe_intermediate_size": 7}, 2, 12, "f32"),
    "odd": ({"hidden_size": 29, "intermediate_size": 37, "moe_intermediate_size": 5, "num_attention_heads": 3,
             "num_key_value_heads": 3, "q_lora_rank": 17, "kv_lora_rank": 13, "qk_nope_head_dim": 7,
             "qk_rope_head_dim": 6, "v_head_dim": 11, "n_routed_experts": 7, "num_experts_per_tok": 3,
             "vocab_size": 41}, 2, 13, "f32"),
    "shards_bf16": ({}, 1, 8, "bf16"),
}


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
            if name.endswith("inv_freq"):
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("e_score_correction_bias"):
                tensor.copy_(0.1 * noise)
            elif tensor.dim() == 1:
                tensor.copy_(1.0 + 0.2 * noise)
            else:
                tensor.copy_(STD * noise)


def published_gradients(model):
    """Gradients under the names of the files, where experts lie apart."""
    found = {}
    for name, parameter in model.named_parameters():
        grad = parameter.grad
        if name.endswith("experts.gate_up_proj"):
            for e, both in enumerate(grad):
                gate, up = both.chunk(2)
                found["%s.%d.gate_proj.weight" % (name[:-len(".gate_up_proj")], e)] = gate
                found["%s.%d.up_proj.weight" % (name[:-len(".gate_up_proj")], e)] = up
        elif name.endswith("experts.down_proj"):
            for e, down in enumerate(grad):
                found["%s.%d.down_proj.weight" % (name[:-len(".down_proj")], e)] = down
        else:
            found[name] = grad
    return found


def make(name, seed):
    changes, n_seqs, length, storage = CASES[name]
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    config = DeepseekV3Config(**dict(BASE, **changes))
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = DeepseekV3ForCausalLM(config).float().eval()
    randomise(model, seed)
    if storage == "bf16":
        model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="20KB")
        # Loaded anew: the cast rounded the rotary frequencies too, which no file holds.
        model = DeepseekV3ForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager").eval()
        model.config._experts_implementation = "eager"
    else:
        model.save_pretrained(folder)
    extra = os.path.join(folder, "generation_config.json")
    if os.path.exists(extra):
        os.remove(extra)
    generator = torch.Generator().manual_seed(seed + 1000)
    tokens = torch.randint(0, config.vocab_size, (n_seqs, length), generator=generator)
    logits = model(tokens).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, config.vocab_size), tokens[:, 1:].reshape(-1))
    loss.backward()
    out = {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
    out.update({"grad." + key: value for key, value in published_gradients(model).items()})
    out = {key: value.contiguous().clone() for key, value in out.items()}
    save_file(out, os.path.join(folder, "golden.safetensors"))
    with open(os.path.join(folder, "tokens.json"), "w", encoding="utf-8") as file:
        json.dump({"tokens": tokens.tolist()}, file)
        file.write("\n")
    print(name, loss.item(), sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder)))


if __name__ == "__main__":
    for i, case in enumerate(CASES):
        if len(sys.argv) < 2 or case in sys.argv[1:]:
            make(case, 100 + i)
