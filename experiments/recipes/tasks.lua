-- tasks: does it help to choose what is trained on? 6 arms x 5 seeds.
--
-- The mixture of quickstart: wide search, which fails, and chains, which are soon solved. Three
-- ways to draw an update's tasks, with pay for launches and without:
--   uniform: as they come; half of them are chains
--   curriculum: one of the easiest of 8 candidates, of all 8 after 60 % of the updates
--   prioritised: one of 8 with chances 1.1 - the success of like tasks: nearly all wide search
-- Held-out tasks are drawn evenly for all. Judge it per family; docs/reward-research.md says what
-- came of it: no difference that five seeds can tell.
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local zero = { shape = "constant", start = 0.0 }

local arms = {}
for _, lambda in ipairs { { "annealed", annealed }, { "zero", zero } } do
  for _, sampling in ipairs { "uniform", "curriculum", "prioritised" } do
    arms[#arms + 1] = {
      name = lambda[1] .. "_" .. sampling,
      lambda1 = lambda[2],
      lambda2 = lambda[2],
      train = { sampling = sampling },
    }
  end
end

return {
  name = "tasks",
  question = "Does it help to choose what is trained on?",
  run = { n_seeds = 5, seed = 601 },
  env = { file = "envs/swarm_mix.lua", params = { preset = "wide_chain" } },
  episode = { budget_factor = 1.6, legal = false },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 150, tasks = 8, group = 8 },
  eval = { tasks = 500, baselines = "serial,greedy_wide" },
  arms = arms,
}
