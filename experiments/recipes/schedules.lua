-- schedules: where a lambda schedule helps, where it is useless, where it hurts.
--
-- Half wide search, half chain in one policy: launching pays on one, costs on the other. Scripted
-- sub-agents of stated reliability; without the mask clumsy launching is possible.
-- Arms: lambda = 0, 0.1 annealed, 0.3 annealed, 0.3 constant, at reliability 1.0, 0.6 and 0.3, all
-- without and with the `legal` mask. Judge them per family: the mean hides that arms fail on
-- different halves. 24 arms x 5 seeds; a run takes well under a minute on a core.
local arms = {}
local lambdas = {
  { "0", { shape = "constant", start = 0.0 } },
  { "0.1a", { shape = "linear", start = 0.1, stop = 0.0, over = 0.6 } },
  { "0.3a", { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 } },
  { "0.3c", { shape = "constant", start = 0.3 } },
}
local settings = {
  { "rel1.0", 1.0, false },
  { "rel0.6", 0.6, false },
  { "rel0.3", 0.3, false },
  { "rel1.0-legal", 1.0, true },
  { "rel0.6-legal", 0.6, true },
  { "rel0.3-legal", 0.3, true },
}
for _, setting in ipairs(settings) do
  for _, lambda in ipairs(lambdas) do
    arms[#arms + 1] = {
      name = setting[1] .. "-" .. lambda[1],
      agents = { reliability = setting[2] },
      episode = { legal = setting[3] },
      lambda1 = lambda[2],
      lambda2 = lambda[2],
    }
  end
end

return {
  name = "schedules",
  question = "Where does a lambda schedule help, where is it useless, where does it hurt?",
  run = { n_seeds = 5, seed = 101 },
  env = { file = "envs/swarm_mix.lua", params = { preset = "wide_chain" } },
  episode = { budget_factor = 1.6 },
  agents = { subs = "scripted" },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  train = { updates = 300, tasks = 8, group = 8 },
  eval = { tasks = 500 },
  arms = arms,
}
