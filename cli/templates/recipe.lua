-- Trains an orchestrator on my_env: parl train my_env_recipe.lua
-- `parl help recipe` lists every field; --set train.updates=20 overrides one.
return {
  name = "my_env",
  env = {file = "my_env.lua", params = {}},
  episode = {budget_factor = 1.6, legal = true},
  model = {n_layers = 1, d_model = 32, n_heads = 2, n_kv_heads = 2, head_dim = 16, d_ff = 64},
  warm = {steps = 60, episodes = 32, mix = "serial=0.8,greedy_wide=0.2", probe = 128},
  train = {updates = 40, tasks = 8, group = 8},
  eval = {tasks = 100, baselines = "serial,greedy_wide,oracle"},
  arms = {
    {name = "annealed", lambda1 = {shape = "linear", start = 0.3, stop = 0.0, over = 0.6}},
    {name = "no_shaping", lambda1 = {shape = "constant", start = 0.0}},
  },
}
