-- masks (study 4): the mask of far ratios, PPO's clip, truncated importance sampling, nothing.
--
-- Five settings in which the policy that learns is not quite the one that played: on policy; four
-- passes over a batch; a player that is one update, and four updates, old; log-probabilities
-- recorded with noise of 0.5 nats. Wide search without the mask of useless rows, pay for launching
-- that falls from 0.3 to 0. 20 arms x 5 seeds, about 8 minutes on 2 idle cores (15 of processor
-- time).
local objectives = {
  { "mask", "k25" },
  { "clip", "ppo" },
  { "tis", "tis" },
  { "nothing", "reinforce" },
}
local strains = {
  { "on_policy", {} },
  { "four_steps", { epochs = 4 } },
  { "stale4", { staleness = 4 } },
  { "noise", { logp_noise = 0.5 } },
  { "stale1", { staleness = 1 } },
}

local arms = {}
for _, strain in ipairs(strains) do
  for _, objective in ipairs(objectives) do
    arms[#arms + 1] = {
      name = strain[1] .. "-" .. objective[1],
      objective = { kind = objective[2] },
      train = strain[2],
    }
  end
end
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }

return {
  name = "masks",
  question = "What is the mask of far ratios needed for: several steps, stale rollouts, noise?",
  run = { n_seeds = 5, seed = 1401 },
  env = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
  episode = { budget_factor = 1.6, legal = false },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  lambda1 = annealed,
  lambda2 = annealed,
  train = { updates = 80, tasks = 8, group = 8 },
  eval = { tasks = 300 },
  arms = arms,
}
