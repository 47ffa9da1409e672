-- dag: serial collapse on projects, and a schedule that outlasts it.
--
-- Tasks with prerequisites and roles; scripted sub-agents that never fail by chance. A sub-agent of
-- the wrong role, or one sent to a blocked task, is worse than working alone, so the first launches
-- of the warm start lose: without pay for launching the policy stops launching. Long enough an
-- anneal lets it learn whom to send where. 2 arms x 5 seeds, about a minute a run on a core.
return {
  name = "dag",
  question = "Does pay for launching that anneals slowly outlast serial collapse on projects?",
  run = { n_seeds = 5, seed = 201 },
  env = { file = "envs/dag.lua" },
  episode = { budget_factor = 1.6, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 600, tasks = 8, group = 8 },
  eval = { tasks = 500 },
  arms = {
    {
      name = "0",
      lambda1 = { shape = "constant", start = 0.0 },
      lambda2 = { shape = "constant", start = 0.0 },
    },
    {
      name = "0.3a",
      lambda1 = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 },
      lambda2 = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 },
    },
  },
}
