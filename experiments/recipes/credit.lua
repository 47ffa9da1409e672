-- credit: which choices an advantage belongs to. 18 arms x 5 seeds; the whole was not timed.
--
-- dag: one advantage for an episode cannot say which sub-agent had the wrong role; scripts solve
-- it, policies end at .80 or below. wide: wide search without the mask of useless rows, where a
-- policy launches 15 for 8 rows. Sub-agents are scripts that never fail by chance, so an episode
-- that is played again costs no model. Arms of a task differ by objective.credit:
--   episode, turn, loo (the cheap estimate from stages): the same episodes
--   cf: counterfactual; shapley: an average over orders; written: over the one in which the
--   assignments were written; at most 4 re-rolls an episode, as many updates
--   _equal: the same at about equal compute, counted in steps of all agents, re-rolls included:
--   fewer updates (credit/reroll_steps beside 64 episode/total_steps)
-- docs/reward-research.md says what it showed.
local dag_lambda = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 }
local zero = { shape = "constant", start = 0.0 }

local function arm(task, name, objective, updates)
  local is_dag = task == "dag"
  return {
    name = task .. "_" .. name,
    env = is_dag and { file = "envs/dag.lua" }
      or { file = "envs/wide_search.lua", params = { rows_min = 4, rows_max = 12 } },
    episode = { budget_factor = 1.6, legal = is_dag },
    lambda1 = is_dag and dag_lambda or zero,
    lambda2 = is_dag and dag_lambda or zero,
    train = { updates = updates, tasks = 8, group = 8 },
    objective = objective,
  }
end

local arms = {}
local function add(task, updates, equal_cf, equal_orders)
  local played = {
    { "cf", { credit = "counterfactual", credit_rerolls = 4 }, equal_cf },
    { "shapley", { credit = "shapley", credit_rerolls = 4 }, equal_orders },
    { "written", { credit = "shapley", credit_rerolls = 4, credit_orders = 0 }, equal_orders },
  }
  arms[#arms + 1] = arm(task, "episode", {}, updates)
  arms[#arms + 1] = arm(task, "turn", { credit = "turn" }, updates)
  arms[#arms + 1] = arm(task, "loo", { credit = "loo_stages" }, updates)
  for _, kind in ipairs(played) do
    arms[#arms + 1] = arm(task, kind[1], kind[2], updates)
    arms[#arms + 1] = arm(task, kind[1] .. "_equal", kind[2], kind[3])
  end
end
add("dag", 400, 130, 130)
add("wide", 120, 48, 66)

return {
  name = "credit",
  question = "Whose choices should an advantage be: of the episode, a turn, a launch, a sub-agent?",
  run = { n_seeds = 5, seed = 501 },
  agents = { subs = "scripted", reliability = 1.0 },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 150, episodes = 64, mix = "serial=0.8,narrow=0.15,greedy_wide=0.05" },
  eval = { tasks = 500, baselines = "greedy_wide,oracle" },
  arms = arms,
}
