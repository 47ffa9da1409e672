-- quickstart: what does a lambda schedule do? Two arms, five seeds, a minute on a laptop.
--
-- One policy for two kinds of task: wide search, where launching sub-agents pays, and chains, where
-- it cannot help and costs. Scripted sub-agents that never fail by chance; without the mask, clumsy
-- launching is possible. Chains drive out the token that starts a launch: without pay for launching
-- (`no_shaping`) wide search ends without a single sub-agent. The annealed arm pays for launches
-- over the first 60 % of the updates, and keeps them on wide search when nothing pays any more.
-- Judge it per family. The contrast is wide_only: without the chains lambda = 0 learns too.
return {
  name = "quickstart",
  question = "Does pay at first keep launching alive where it pays, beside tasks where it costs?",
  run = { n_seeds = 5, seed = 301 },
  env = { file = "envs/swarm_mix.lua", params = { preset = "wide_chain" } },
  episode = { budget_factor = 1.6, legal = false },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
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
