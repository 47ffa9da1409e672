-- swarm_100 (study 8): tables of 8, 32 and 128 rows, launches of up to 128 sub-agents.
--
-- Nothing is paid for launching, or 0.3 that falls to 0; `single` never launches and has a budget
-- of total steps, as many as a swarm takes that fills the table. `at_most_8` is trained with at
-- most 8 sub-agents of a launch; what it does with more:
--   parl eval experiments/recipes/swarm_100.lua --set episode.max_width=0
--     --checkpoint runs/swarm_100/checkpoints/rows32-at_most_8-s1801.safetensors
-- 10 arms x 5 seeds, about 10 minutes on 2 idle cores (19 of processor time).
local zero = { shape = "constant", start = 0.0 }
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
-- Rows of the table, and total steps of a swarm that fills it, as a multiple of the optimum.
local tables = { { 8, 3 }, { 32, 8 }, { 128, 22 } }

local arms = {}
for _, rows in ipairs(tables) do
  local n <const> = rows[1]
  local function add(name, arm)
    arm.name = "rows" .. n .. "-" .. name
    arm.env = {
      file = "envs/wide_search.lua",
      params = { rows_min = n, rows_max = n, columns = 1 },
    }
    arm.lambda1 = arm.lambda1 or zero
    arm.lambda2 = arm.lambda1
    arms[#arms + 1] = arm
  end
  add("none", {})
  add("annealed", { lambda1 = annealed })
  if n == 32 then
    add("at_most_8", { lambda1 = annealed, episode = { max_width = 8 } })
  end
  add("single", {
    warm = { mix = "serial=1" },
    episode = { budget_counts = "total", budget_factor = rows[2] },
  })
end

return {
  name = "swarm_100",
  question = "How wide a launch is learned, and how much sooner is a table filled than alone?",
  run = { n_seeds = 5, seed = 1801 },
  env = { file = "envs/wide_search.lua" },
  episode = { budget_factor = 1.6, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = {
    n_layers = 2,
    d_model = 32,
    n_heads = 4,
    n_kv_heads = 4,
    head_dim = 8,
    d_ff = 64,
    max_context = 2048,
  },
  warm = { steps = 60, episodes = 16, probe = 32, mix = "serial=0.6,narrow=0.3,greedy_wide=0.1" },
  train = { updates = 80, tasks = 4, group = 8 },
  eval = { tasks = 100, baselines = "serial,greedy_wide" },
  arms = arms,
}
