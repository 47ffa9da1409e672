-- subs (study 7): with whom should an orchestrator learn?
--
-- Frozen small sub-agents, small and from update 50 on large, large, and the policy that learns;
-- beside them scripts that work with the chance 1.0, 0.8, 0.6, 0.3. An arm is evaluated with the
-- sub-agents it ended with. Wide search, pay for launching that falls from 0.3 to 0. `parl train
-- experiments/recipes/sub_models.lua` first, in the same folder, makes the models. 8 arms x 5
-- seeds, about 3.5 minutes on 2 idle cores (6.5 of processor time).
local small <const> = "runs/sub_models/checkpoints/small-s1701.safetensors"
local large <const> = "runs/sub_models/checkpoints/large-s1701.safetensors"
local annealed = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }

local arms = {
  { name = "small", agents = { subs = "policy", checkpoint = small } },
  {
    name = "small_to_large",
    agents = { subs = "policy", checkpoint = small, next_checkpoint = large, switch_at = 50 },
  },
  { name = "large", agents = { subs = "policy", checkpoint = large } },
  { name = "trained", agents = { subs = "trained" } },
}
for _, reliability in ipairs { 1.0, 0.8, 0.6, 0.3 } do
  arms[#arms + 1] = {
    name = "scripted" .. reliability,
    agents = { subs = "scripted", reliability = reliability },
  }
end

return {
  name = "subs",
  question = "Whom should an orchestrator learn with: small, large, or learning sub-agents?",
  run = { n_seeds = 5, seed = 1711 },
  env = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
  episode = { budget_factor = 1.6, legal = false },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  lambda1 = annealed,
  lambda2 = annealed,
  train = { updates = 100, tasks = 8, group = 8 },
  eval = { tasks = 240, baselines = "serial,greedy_wide" },
  arms = arms,
}
