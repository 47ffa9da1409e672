-- wide_only: the contrast to quickstart. Two arms, three seeds, a minute on a laptop.
--
-- Wide search alone, with sub-agents as they come out of the warm start, a budget of 1.6 x the
-- optimum in critical steps, and useless rows masked (the environment's `legal`). The annealed arm
-- pays for launches at first; the other never does. Launching pays here from the start and nothing
-- interferes, so both should learn.
return {
  name = "wide_only",
  question = "Does a policy need pay for launching where launching pays from the start?",
  run = { n_seeds = 3 },
  env = {
    file = "envs/wide_search.lua",
    params = { rows_min = 4, rows_max = 12 },
  },
  episode = { budget_factor = 1.6, legal = true },
  model = { n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 150, tasks = 8, group = 8 },
  eval = { tasks = 500 },
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
