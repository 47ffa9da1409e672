-- toggle (study 5): Toggle beside a budget that always holds.
--
-- Wide search with a lax budget, 3.3 times the optimum, with which working alone reaches .96; no
-- pay for launching. The budget of a family is what the shortest quarter of the warm start's
-- correct rollouts took, in tokens of the orchestrator or in critical steps. `toggle`: it holds in
-- every other 10 updates, for tasks that are solved to .9; `rigid`: always, for all. 5 arms x 5
-- seeds, about 1 minute on 2 idle cores (2 of processor time). What they do when more is allowed:
--   parl eval experiments/recipes/toggle.lua --set episode.budget_factor=10
--     --checkpoint runs/toggle/checkpoints/rigid-tokens-s1501.safetensors
local zero = { shape = "constant", start = 0.0 }
local one = { shape = "constant", start = 1.0 }

-- The term takes r_perf away from rollouts beyond the budget: in every second phase and where the
-- group solves its task, or always.
local function toggle(of)
  return { kind = "toggle", of = of, phase = 10, accuracy = 0.9, percentile = 25, weight = one }
end
local function rigid(of)
  local term = toggle(of)
  term.phase, term.accuracy = 10000000, 0.0
  return term
end

return {
  name = "toggle",
  question = "What does Toggle save and lose beside a budget that always holds?",
  run = { n_seeds = 5, seed = 1501 },
  env = { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
  episode = { budget_factor = 3.3, legal = true },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  lambda1 = zero,
  lambda2 = zero,
  train = { updates = 100, tasks = 8, group = 8 },
  eval = { tasks = 300, baselines = "serial,greedy_wide" },
  arms = {
    { name = "free" },
    { name = "toggle-tokens", terms = { short = toggle("tokens") } },
    { name = "rigid-tokens", terms = { short = rigid("tokens") } },
    { name = "toggle-steps", terms = { short = toggle("critical_steps") } },
    { name = "rigid-steps", terms = { short = rigid("critical_steps") } },
  },
}
