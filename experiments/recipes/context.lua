-- context (study 9): a swarm, or one agent that manages its context?
--
-- Two tasks whose whole work does not fit the orchestrator's context, but fits those of sub-agents:
-- a table of eight rows whose searches often fail, without the mask of useless rows, so that what
-- was done is remembered in the context or not at all; and a survey of four to seven sources whose
-- pages are full of what nobody asked for, with the mask. One agent, imitated from a script that
-- works alone and never paid for launching, under each context policy: none (overflow is a
-- failure), hide tool results, summary, discard all; and a swarm, with none. A budget that lets
-- everyone finish. 10 arms x 5 seeds, about 8 minutes on 2 idle cores (15 of processor time).
local zero = { shape = "constant", start = 0.0 }
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local hard_rows = { rows_min = 8, rows_max = 8, columns = 4, p_fail = 0.5 }
local environments = {
  { "table", { file = "envs/wide_search.lua", params = hard_rows }, false },
  { "survey", { file = "envs/survey.lua", params = { text = 12 } }, true },
}

local arms = {}
for _, environment in ipairs(environments) do
  local function add(name, arm)
    arm.name = environment[1] .. "-" .. name
    arm.env = environment[2]
    arm.episode.legal = environment[3]
    arms[#arms + 1] = arm
  end
  for _, policy in ipairs { "none", "hide_tool_result", "summary", "discard_all" } do
    add(policy, {
      episode = { context_policy = policy },
      warm = { mix = "serial=1" },
      lambda1 = zero,
      lambda2 = zero,
    })
  end
  add("swarm", { episode = {}, lambda1 = annealed, lambda2 = annealed })
end

return {
  name = "context",
  question = "Does a swarm keep its context better than a single agent that manages its own?",
  run = { n_seeds = 5, seed = 1901 },
  env = { file = "envs/wide_search.lua" },
  episode = { budget_factor = 8 },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 100, episodes = 32, probe = 64, mix = "serial=0.5,narrow=0.3,greedy_wide=0.2" },
  train = { updates = 40, tasks = 8, group = 8 },
  eval = { tasks = 100, baselines = "serial,greedy_wide" },
  arms = arms,
}
