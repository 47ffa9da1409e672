-- credit: which choices an advantage belongs to. 10 arms x 5 seeds; the whole was not timed yet.
--
-- dag: one advantage for an episode cannot say which sub-agent had the wrong role; scripts solve
-- it, policies end near .80. wide: wide search without the mask of useless rows, where a policy
-- launches 15 for 8 rows. Sub-agents are scripts that never fail by chance, so an episode that is
-- played again costs no model. Arms of a task differ by objective.credit:
--   episode, turn, loo (the cheap estimate from stages): the same episodes
--   cf: counterfactual, at most 4 re-rolls an episode, as many updates
--   cf_equal: the same at equal compute, counted in steps of all agents, re-rolls included: a fifth
--   of the updates on dag, a sixth on wide (credit/reroll_steps beside 64 episode/total_steps)
-- docs/reward-research.md says what shorter runs showed.
local dag_lambda = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local zero = { shape = "constant", start = 0.0 }

local function arm(task, name, objective, share)
  local is_dag = task == "dag"
  return {
    name = task .. "_" .. name,
    env = is_dag and { file = "envs/dag.lua" }
      or { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
    episode = { budget_factor = 1.6, legal = is_dag },
    lambda1 = is_dag and dag_lambda or zero,
    lambda2 = is_dag and dag_lambda or zero,
    train = { updates = (is_dag and 400 or 120) // (share or 1), tasks = 8, group = 8 },
    objective = objective,
  }
end

local arms = {}
for _, task in ipairs { "dag", "wide" } do
  local cf = { credit = "counterfactual", credit_rerolls = 4 }
  arms[#arms + 1] = arm(task, "episode", {})
  arms[#arms + 1] = arm(task, "turn", { credit = "turn" })
  arms[#arms + 1] = arm(task, "loo", { credit = "loo_stages" })
  arms[#arms + 1] = arm(task, "cf", cf)
  arms[#arms + 1] = arm(task, "cf_equal", cf, task == "dag" and 5 or 6)
end

return {
  name = "credit",
  run = { n_seeds = 5, seed = 501 },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  eval = { tasks = 500, baselines = "greedy_wide,oracle" },
  arms = arms,
}
