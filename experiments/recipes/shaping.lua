-- shaping (study 1): serial collapse, spurious parallelism, and what families do to each other.
--
-- Wide search and deep search, where launching pays, chains, where it cannot, and projects (dag),
-- where only a launch of the right role does: each alone, and all four in one policy. Both are
-- trained on as many episodes of a family, 2,560: 40 updates alone, 160 of the mixture. Weights of
-- the two pays: none, lambda1 alone, lambda2 alone, both, all 0.3 that stays, and both falling to 0
-- over 60 % of the updates. `single` never launches, and its budget is total steps, as many as
-- swarms took in pilots (of the mixture: on the mean over families), so it may use as much compute
-- as they do, one step after another.
--
-- Useless rows are masked: without the mask no policy of this size learns deep search, whose answer
-- is copied. 30 arms x 5 seeds, about 9 minutes on 2 idle cores (18 of processor time).
local function weight(start, shape)
  return { shape = shape or "constant", start = start, stop = 0.0, over = 0.6 }
end
local schedules = {
  { "none", weight(0.0), weight(0.0) },
  { "parallel_only", weight(0.3), weight(0.0) },
  { "finish_only", weight(0.0), weight(0.3) },
  { "constant", weight(0.3), weight(0.3) },
  { "annealed", weight(0.3, "linear"), weight(0.3, "linear") },
}
local families = { "wide_search", "deep_search", "chain", "dag" }

-- And the total steps, as a multiple of the optimum, that swarms of the pilots took.
local settings = {
  { "mix", 1.85 },
  { "wide_search", 3.3 },
  { "deep_search", 1.8 },
  { "chain", 1.6 },
  { "dag", 1.6 },
}

local function params(which)
  local weights = { batch_download = 0, long_read = 0, lure = 0 }
  for _, family in ipairs(families) do
    weights[family] = (which == "mix" or which == family) and 1 or 0
  end
  return weights
end

local arms = {}
for _, setting in ipairs(settings) do
  local which <const>, factor <const> = setting[1], setting[2]
  local function add(name, arm)
    arm.name = which .. "-" .. name
    arm.env = { file = "envs/swarm_mix.lua", params = params(which) }
    arm.train = { updates = which == "mix" and 160 or 40 }
    arms[#arms + 1] = arm
  end
  for _, schedule in ipairs(schedules) do
    add(schedule[1], { lambda1 = schedule[2], lambda2 = schedule[3] })
  end
  add("single", {
    lambda1 = weight(0.0),
    lambda2 = weight(0.0),
    warm = { mix = "serial=1" },
    episode = { budget_counts = "total", budget_factor = factor },
  })
end

return {
  name = "shaping",
  question = "Which of the two pays for parallel work is needed, for how long, on which tasks?",
  run = { n_seeds = 5, seed = 1101 },
  env = { file = "envs/swarm_mix.lua" },
  episode = { budget_factor = 1.6, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { tasks = 8, group = 8 },
  eval = { tasks = 240, baselines = "serial,greedy_wide" },
  arms = arms,
}
