-- uses: does a policy learn what the paper's readers would use it for? Four environments, an arm
-- each.
--
-- code_assistant, test_generation, survey, bugfix: roles matter in each, and what has to be found
-- out is never in the prompt. Scripted sub-agents that never fail by chance, a budget of 1.6 x the
-- optimum, launches paid for over the first 60 % of the updates. 154 seconds of processor time for
-- the four and their baselines, so about a minute and a half on 2 cores that nobody else uses.
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local arms = {}
for _, name in ipairs { "code_assistant", "test_generation", "survey", "bugfix" } do
  arms[#arms + 1] = {
    name = name,
    env = { file = "envs/" .. name .. ".lua" },
    lambda1 = annealed,
    lambda2 = annealed,
  }
end

return {
  name = "uses",
  question = "Does a policy learn what the paper's readers would use it for?",
  run = { n_seeds = 1, seed = 801 },
  env = { file = "envs/survey.lua" },
  episode = { budget_factor = 1.6, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 120, episodes = 32, probe = 128, mix = "serial=0.5,narrow=0.3,greedy_wide=0.2" },
  train = { updates = 120, tasks = 8, group = 8 },
  eval = { tasks = 100, baselines = "serial,greedy_wide,oracle" },
  arms = arms,
}
