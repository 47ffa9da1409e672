-- gpu_large: an orchestrator of 124M parameters (12 layers of 768, about GPT-2's size) on the whole
-- mixture: wide and deep search, tasks with prerequisites, downloads, long documents, chains.
--
-- Meant for a GPU: run.backend = "auto" takes one where there is one. It has not been run there. On
-- a CPU an update would take hours; what was done on one is a single update of two episodes, which
-- shows that it loads, learns and stores.
--   parl train experiments/recipes/gpu_large.lua --plan
--   parl train experiments/recipes/gpu_large.lua --set run.n_seeds=1 --set train.updates=1
--     --set train.tasks=1 --set train.group=2 --set warm.steps=1 --set warm.episodes=2
--     --set warm.probe=2 --set eval.tasks=1 --set train.slice_rows=1024
-- A slice holds 16,384 tokens (0.8 MB of activations each) and gradients are summed in one leaf: a
-- device has no use for more. The rows *_124M of parl bench show what to expect of a machine.
return {
  name = "gpu_large",
  question = "Does a large orchestrator need pay for launching, where a small one does?",
  run = { n_seeds = 2, seed = 2401, backend = "auto", dtype = "auto" },
  env = { file = "envs/swarm_mix.lua" },
  episode = { budget_factor = 1.6, legal = false },
  agents = { subs = "scripted", reliability = 1.0 },
  model = {
    n_layers = 12, d_model = 768, n_heads = 12, n_kv_heads = 12, head_dim = 64, d_ff = 3456,
    max_context = 1024,
  },
  warm = {
    steps = 300,
    episodes = 256,
    lr = 0.0006,
    mix = "serial=0.8,narrow=0.15,greedy_wide=0.05",
  },
  train = {
    updates = 200, tasks = 128, group = 8, slots = 4096, kv_cache = "bf16", accumulators = 1,
    slice_rows = 16384,
  },
  optimizer = { lr = 0.0002 },
  eval = { tasks = 1000 },
  arms = {
    {
      name = "annealed",
      lambda1 = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 },
      lambda2 = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 },
    },
    {
      name = "no_shaping",
      lambda1 = { shape = "constant", start = 0.0 },
      lambda2 = { shape = "constant", start = 0.0 },
    },
  },
}
