-- pay (study 10): which definition of the pay for launching buys only launches that pay?
--
-- In study 1 a rate of finished sub-agents keeps launching alive where it pays beside tasks where
-- it costs, and makes projects (dag) launch to no use. Each definition stays at 0.3, for what a
-- weight that falls leaves behind is study 1's: none; `returned`, the share of sub-agents that
-- finish; `useful`, the share whose message changed r_perf; `realised`, the speed-up of what was
-- achieved. On the quickstart's mixture of wide search and chains, useless rows not masked, where
-- launching dies out without pay; and on projects alone, as in study 1. 8 arms x 5 seeds, about 4
-- minutes on 2 idle cores (7.5 of processor time).
local zero = { shape = "constant", start = 0.0 }
local paid = { shape = "constant", start = 0.3 }
local pays = {
  { "none", zero, zero, {} },
  { "returned", zero, paid, { finish = "returned" } },
  { "useful", zero, paid, { finish = "useful" } },
  { "realised", paid, zero, { parallel = "realised" } },
}
local only_dag = {
  wide_search = 0,
  deep_search = 0,
  chain = 0,
  batch_download = 0,
  long_read = 0,
  lure = 0,
}
-- Tasks, mask of useless rows, updates.
local settings = {
  { "mix", { preset = "wide_chain" }, false, 120 },
  { "dag", only_dag, true, 40 },
}

local arms = {}
for _, setting in ipairs(settings) do
  for _, pay in ipairs(pays) do
    arms[#arms + 1] = {
      name = setting[1] .. "-" .. pay[1],
      env = { file = "envs/swarm_mix.lua", params = setting[2] },
      episode = { legal = setting[3] },
      train = { updates = setting[4] },
      lambda1 = pay[2],
      lambda2 = pay[3],
      reward = pay[4],
    }
  end
end

return {
  name = "pay",
  question = "Which definition of the pay for launching buys only launches that pay?",
  run = { n_seeds = 5, seed = 2001 },
  env = { file = "envs/swarm_mix.lua" },
  episode = { budget_factor = 1.6 },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { tasks = 8, group = 8 },
  eval = { tasks = 240, baselines = "serial,greedy_wide" },
  arms = arms,
}
