-- context (study 9): a swarm, or one agent that manages its context?
--
-- A document longer than any context, and a survey whose sources are long. One agent, which reads
-- all and never launches, under each context policy: none (overflow is a failure), hide tool
-- results, summary, discard all; and a swarm that reads in shards, with no policy. A budget that
-- lets everyone read to the end. 10 arms x 5 seeds, about 6 minutes on 2 idle cores (12 of
-- processor time, estimated from 4 runs of 20 updates).
local zero = { shape = "constant", start = 0.0 }
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local environments = {
  { "long_read", { file = "envs/long_read.lua" }, "read_all=1" },
  { "survey", { file = "envs/survey.lua", params = { preset = "long" } }, "serial=1" },
}

local arms = {}
for _, environment in ipairs(environments) do
  for _, policy in ipairs { "none", "hide_tool_result", "summary", "discard_all" } do
    arms[#arms + 1] = {
      name = environment[1] .. "-" .. policy,
      env = environment[2],
      episode = { context_policy = policy },
      warm = { mix = environment[3] },
      lambda1 = zero,
      lambda2 = zero,
    }
  end
  arms[#arms + 1] = {
    name = environment[1] .. "-swarm",
    env = environment[2],
    lambda1 = annealed,
    lambda2 = annealed,
  }
end

return {
  name = "context",
  question = "Does a swarm keep its context better than a single agent that manages its own?",
  run = { n_seeds = 5, seed = 1901 },
  env = { file = "envs/long_read.lua" },
  episode = { budget_factor = 8, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = {
    n_layers = 2,
    d_model = 32,
    n_heads = 4,
    n_kv_heads = 4,
    head_dim = 8,
    d_ff = 64,
    max_context = 1024,
  },
  warm = { steps = 60, episodes = 16, probe = 64, mix = "serial=0.5,narrow=0.3,greedy_wide=0.2" },
  train = { updates = 60, tasks = 8, group = 8 },
  eval = { tasks = 100, baselines = "serial,greedy_wide" },
  arms = arms,
}
