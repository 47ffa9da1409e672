-- roles: four tasks and two roles, for credit worked by hand. A "right" sub-agent does its task in
-- one step, a "wrong" one in six; r_perf is the share of tasks done. Style "mixed": create both,
-- launch task 1 with the right one and task 2 with the wrong one, launch tasks 3 and 4 with right
-- ones, finish. Style "twice": one right role does task 1, task 1 again and task 2, then finish.
local tok <const> = parl.tok

local mixed <const> = {
  {{"create_subagent", 1, "right"}},
  {{"create_subagent", 2, "wrong"}},
  {{"assign_task", 1, 1}, {"assign_task", 2, 2}},
  {{"assign_task", 1, 3}, {"assign_task", 1, 4}},
  {{"finish"}},
}

local twice <const> = {
  {{"create_subagent", 1, "right"}},
  {{"assign_task", 1, 1}, {"assign_task", 1, 1}, {"assign_task", 1, 2}},
  {{"finish"}},
}

local function work(_, agent, task)
  local s = agent.state
  s.steps, s.done = (s.steps or 0) + 1, s.done or {}
  if s.steps >= (agent.role == "wrong" and 6 or 1) then s.done[task] = true end
  return {s.done[task] and tok.word.done or tok.word.more}
end

return parl.env {
  name = "roles",
  summary = "four tasks and two roles",
  roles = {"right", "wrong"},
  families = {task = 4, word = {"more", "done"}},
  tools = {work = {args = {"task"}, doc = "one step of a task", run = work}},
  task = {args = {"task"}},
  styles = {"mixed", "twice"},
  limits = {
    context = 64, sub_context = 32, sub_steps = 8, max_width = 4, max_agents = 2, max_turns = 16,
  },
  reset = function() return {} end,
  prompt = function() return {tok.task[4]} end,
  brief = function(_, sub, task)
    sub.state.task, sub.state.done = task[1], {}
    return {tok.task[task[1]]}
  end,
  deliver = function(_, main, sub)
    main.state.done = main.state.done or {}
    if sub.state.done[sub.state.task] then main.state.done[sub.state.task] = true end
    return {}
  end,
  score = function(_, main)
    local done, n = main.state.done or {}, 0
    for task = 1, 4 do
      if done[task] then n = n + 1 end
    end
    return n / 4, {success = n == 4 and 1 or 0}
  end,
  optimum = function() return {critical = 4, serial = 4, r_perf = 1} end,
  expert = function(_, agent, style)
    local s = agent.state
    if not agent.main then
      return {s.done[s.task] and {"finish"} or {"work", s.task}}
    end
    s.turn = (s.turn or 0) + 1
    return (style == "twice" and twice or mixed)[s.turn]
  end,
}
