-- A run of a few updates of a tiny model, for the emulated card, which is very slow.
return {
  name = "tiny",
  run = { seed = 301, checkpoint_every = 1, threads = 2, backend = "cuda" },
  env = { file = "envs/swarm_mix.lua", params = { preset = "wide_chain" } },
  episode = { budget_factor = 1.6, legal = false },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 1, d_model = 8, n_heads = 2, n_kv_heads = 2, head_dim = 4, d_ff = 16 },
  warm = { steps = 1, episodes = 2, probe = 0, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 3, tasks = 1, group = 2 },
  eval = { tasks = 1, baselines = "" },
}
