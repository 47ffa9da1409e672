-- sub_models: the two frozen sub-agents that recipe subs wants; make them first. Seconds.
--
-- Imitation only (the one update has a learning rate of 0): `small` has one layer of width 16 and
-- saw 1,920 demonstrations, `large` two of width 64 and 12,800.
return {
  name = "sub_models",
  question = "Of what size are the frozen sub-agents of recipe subs, and how well do they work?",
  run = { n_seeds = 1, seed = 1701 },
  env = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
  episode = { budget_factor = 1.6, legal = false },
  warm = { probe = 0, mix = "serial=0.5,narrow=0.3,greedy_wide=0.2" },
  train = { updates = 1 },
  optimizer = { lr = 0.0 },
  eval = { tasks = 100, baselines = "greedy_wide" },
  arms = {
    {
      name = "small",
      model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
      warm = { steps = 60, episodes = 32 },
    },
    {
      name = "large",
      model = {
        n_layers = 2,
        d_model = 64,
        n_heads = 4,
        n_kv_heads = 4,
        head_dim = 16,
        d_ff = 128,
      },
      warm = { steps = 200, episodes = 64 },
    },
  },
}
