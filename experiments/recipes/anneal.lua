-- anneal (study 2): where does annealing act, and where does the advantage cancel it?
--
-- Wide search with sub-agents that fail seven times of ten, so that launching does not pay: what is
-- left of the launches is the reward's doing. Schedules of both weights: none; 0.001 that stays;
-- 0.3 that falls to 0 over 20 % and over 60 % of the updates; 0.3 that falls exponentially to
-- 0.001. Advantages: less the group's mean; divided by its deviation, too; every term by its own.
-- r_perf is item-F1 (dense) or success alone. 30 arms x 5 seeds, 5 to 7 minutes on 2 idle
-- cores (10 to 13 of processor time: it was made in two parts).
local function weight(start, stop, shape, over)
  return { shape = shape, start = start, stop = stop, over = over }
end
local schedules = {
  { "none", weight(0.0, 0.0, "constant", 0.6) },
  { "tiny", weight(0.001, 0.001, "constant", 0.6) },
  { "short", weight(0.3, 0.0, "linear", 0.2) },
  { "long", weight(0.3, 0.0, "linear", 0.6) },
  { "exponential", weight(0.3, 0.001, "exponential", 0.6) },
}
local scores = { { "dense", "" }, { "success", "success" } }

local arms = {}
for _, score in ipairs(scores) do
  for _, advantage in ipairs { "mean", "mean_std", "per_term" } do
    for _, schedule in ipairs(schedules) do
      arms[#arms + 1] = {
        name = score[1] .. "-" .. advantage .. "-" .. schedule[1],
        reward = { perf_lua = score[2] },
        objective = { advantage = advantage },
        lambda1 = schedule[2],
        lambda2 = schedule[2],
      }
    end
  end
end

return {
  name = "anneal",
  question = "Where does annealing act, and where does the advantage's normalisation cancel it?",
  run = { n_seeds = 5, seed = 1201 },
  env = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
  episode = { budget_factor = 1.6, legal = false },
  agents = { subs = "scripted", reliability = 0.3 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 80, tasks = 8, group = 8 },
  eval = { tasks = 300 },
  arms = arms,
}
