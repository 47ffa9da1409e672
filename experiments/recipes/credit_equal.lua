-- credit_equal (study 6): an advantage of the episode, of a turn, of an assignment, at equal
-- compute.
--
-- Projects (dag), where one advantage for an episode can not say which sub-agent had the wrong
-- role, and wide search without the mask of useless rows, where a policy launches 15 for 8 rows. A
-- counterfactual plays at most 4 more episodes for each one, so it gets fewer updates: as many as
-- take about the agent steps of `episode`, re-rolls included (seeds 501 to 505 of credit.lua, the
-- recipe with all kinds of credit, chose them). 6 arms x 5 seeds, about 5 minutes on 2 idle cores
-- (9 of processor time).
local zero = { shape = "constant", start = 0.0 }
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local wide = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } }
-- Task, environment, mask of useless rows, weights of pay, updates, and of the counterfactual.
local tasks = {
  { "dag", { file = "envs/dag.lua" }, true, annealed, 400, 130 },
  { "wide", wide, false, zero, 120, 48 },
}
local credits = {
  { "episode", {} },
  { "turn", { credit = "turn" } },
  { "counterfactual", { credit = "counterfactual", credit_rerolls = 4 } },
}

local arms = {}
for _, task in ipairs(tasks) do
  for _, credit in ipairs(credits) do
    local replays <const> = credit[1] == "counterfactual"
    arms[#arms + 1] = {
      name = task[1] .. "-" .. credit[1],
      env = task[2],
      episode = { legal = task[3] },
      lambda1 = task[4],
      lambda2 = task[4],
      train = { updates = replays and task[6] or task[5] },
      objective = credit[2],
    }
  end
end

return {
  name = "credit_equal",
  question = "At equal compute, is an advantage better the episode's, a turn's or an assignment's?",
  run = { n_seeds = 5, seed = 1601 },
  env = { file = "envs/dag.lua" },
  episode = { budget_factor = 1.6 },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { tasks = 8, group = 8 },
  eval = { tasks = 300, baselines = "serial,greedy_wide" },
  arms = arms,
}
