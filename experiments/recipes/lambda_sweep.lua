-- lambda_sweep: five lambda schedules in two environments, for a report over a whole lunch.
--
-- `mix` is quickstart's: half wide search, half chains in one policy, where launching pays on one
-- and costs on the other. `dag` is tasks with prerequisites and roles, where a sub-agent of the
-- wrong role is worse than none. Schedules of both weights: none, 0.3 that stays, and 0.3 that
-- falls to 0 over 60 % of the updates along a line, a cosine, or exponentially. 10 arms x 5 seeds;
-- docs/studies.md says what a run takes.
local schedules = {
  { "none", { shape = "constant", start = 0.0 } },
  { "constant", { shape = "constant", start = 0.3 } },
  { "linear", { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 } },
  { "cosine", { shape = "cosine", start = 0.3, stop = 0.0, over = 0.6 } },
  { "exponential", { shape = "exponential", start = 0.3, stop = 0.003, over = 0.6 } },
}
local environments = {
  {
    name = "mix",
    env = { file = "envs/swarm_mix.lua", params = { preset = "wide_chain" } },
    episode = { legal = false },
    model = { d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
    train = { updates = 150 },
  },
  {
    name = "dag",
    env = { file = "envs/dag.lua" },
    episode = { legal = true },
    model = { d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128 },
    train = { updates = 600 },
  },
}
local arms = {}
for _, environment in ipairs(environments) do
  for _, schedule in ipairs(schedules) do
    arms[#arms + 1] = {
      name = environment.name .. "-" .. schedule[1],
      env = environment.env,
      episode = environment.episode,
      model = environment.model,
      train = environment.train,
      lambda1 = schedule[2],
      lambda2 = schedule[2],
    }
  end
end

return {
  name = "lambda_sweep",
  question = "Which lambda schedule leaves the most r_perf once it has annealed,"
    .. " in two environments?",
  run = { n_seeds = 5, seed = 601 },
  env = { file = "envs/swarm_mix.lua" },
  episode = { budget_factor = 1.6 },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { tasks = 8, group = 8 },
  eval = { tasks = 500 },
  arms = arms,
}
