-- budgets (study 3): critical steps as a budget or as a price, and total steps as a budget.
--
-- Wide search, which alone takes 2.9 times the optimum. `critical`: 1.6 times the optimum in
-- critical steps, as in the paper; `total`: 3.3 times in total steps, which lets one agent finish
-- two tables of three; `lax`: 3.3 times in critical steps, which does, too; `reward`: the same, and
-- a step costs 1/40. Each with pay for launching that falls from 0.3 to 0 and without. 8 arms x 5
-- seeds, about 2 minutes on 2 idle cores (3.5 of processor time).
local zero = { shape = "constant", start = 0.0 }
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local one = { shape = "constant", start = 1.0 }
local ways = {
  { "critical", { budget_counts = "critical", budget_factor = 1.6 } },
  { "total", { budget_counts = "total", budget_factor = 3.3 } },
  { "reward", { budget_counts = "critical", budget_factor = 3.3 },
    { time = { kind = "cost", of = "critical_steps", scale = 40, weight = one } } },
  { "lax", { budget_counts = "critical", budget_factor = 3.3 } },
}

local arms = {}
for _, way in ipairs(ways) do
  for _, lambda in ipairs { { "none", zero }, { "annealed", annealed } } do
    arms[#arms + 1] = {
      name = way[1] .. "-" .. lambda[1],
      episode = way[2],
      terms = way[3],
      lambda1 = lambda[2],
      lambda2 = lambda[2],
    }
  end
end

return {
  name = "budgets",
  question = "Should critical steps be a budget, a price, or should total steps be the budget?",
  run = { n_seeds = 5, seed = 1301 },
  env = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
  episode = { legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 60, tasks = 8, group = 8 },
  eval = { tasks = 300, baselines = "serial,greedy_wide" },
  arms = arms,
}
