-- pay (study 10): which definition of the pay for launching buys only launches that pay?
--
-- In study 1 a rate of finished sub-agents keeps wide and deep search from collapsing beside tasks
-- where launching costs, and makes projects (dag) launch to no use. Each definition stays at 0.3,
-- for what a weight that falls leaves behind is study 1's: none; `returned`, the share of
-- sub-agents that finish; `useful`, the share whose message changed r_perf; `realised`, the
-- speed-up of what was achieved. In one policy for four families (as in study 1), and on projects
-- alone. 8 arms x 5 seeds, about 5 minutes on 2 idle cores (10 of processor time, estimated).
local zero = { shape = "constant", start = 0.0 }
local paid = { shape = "constant", start = 0.3 }
local pays = {
  { "none", zero, zero, {} },
  { "returned", zero, paid, { finish = "returned" } },
  { "useful", zero, paid, { finish = "useful" } },
  { "realised", paid, zero, { parallel = "realised" } },
}
local families = { "wide_search", "deep_search", "chain", "dag" }

local function params(which)
  local weights = { batch_download = 0, long_read = 0, lure = 0 }
  for _, family in ipairs(families) do
    weights[family] = (which == "mix" or which == family) and 1 or 0
  end
  return weights
end

local arms = {}
for _, which in ipairs { "mix", "dag" } do
  for _, pay in ipairs(pays) do
    arms[#arms + 1] = {
      name = which .. "-" .. pay[1],
      env = { file = "envs/swarm_mix.lua", params = params(which) },
      train = { updates = which == "mix" and 160 or 40 },
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
  episode = { budget_factor = 1.6, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { tasks = 8, group = 8 },
  eval = { tasks = 240, baselines = "serial,greedy_wide" },
  arms = arms,
}
