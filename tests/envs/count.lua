-- count: an environment without chance, for episodes worked by hand.
--
-- A task is a number k; whoever works on it needs k calls of `work(k)`. The world asks for the
-- numbers 1..n, n = params.n. A sub-agent does its numbers and finishes; r_perf is the share of
-- numbers done. Styles: "hand" is the episode that tests/test_episode.c works out; "serial" and
-- "wide" are experts.
local function open_numbers(world, state)
  local list = {}
  for k = 1, world.n do
    if not state.done[k] then list[#list + 1] = k end
  end
  return list
end

local function work(agent, k)
  local s = agent.state
  s.calls = s.calls or {}
  s.done = s.done or {}
  s.calls[k] = (s.calls[k] or 0) + 1
  if s.calls[k] >= k then s.done[k] = true end
  return { s.done[k] and parl.tok.word.done or parl.tok.word.more }
end

local function next_of_sub(agent)
  for _, k in ipairs(agent.state.task) do
    if not agent.state.done[k] then return { { "work", k } } end
  end
  return { { "finish" } }
end

local hand = {
  { { "create_subagent", 1, "worker" } },
  { { "assign_task", 1, { 1 } }, { "assign_task", 1, { 3 } }, { "assign_task", 1, { 2 } } },
  { { "work", 4 } },
  { { "work", 4 } },
  { { "finish" } },
}

return parl.env {
  name = "count",
  summary = "numbers that take as many calls as they are large",
  params = {
    n = { default = 4, min = 1, max = 8, doc = "numbers asked for" },
    fail_at = { default = 0, min = 0, max = 8, doc = "work on this number fails; 0: never" },
  },
  roles = { "worker" },
  families = { number = 8, word = { "more", "done" } },
  tools = {
    work = {
      args = { "number" },
      doc = "one call of work on a number",
      run = function(world, agent, k)
        if k == world.fail_at then error("work refused on purpose") end
        return work(agent, k)
      end,
    },
  },
  task = { args = { "number+" }, max = 8 },
  styles = { "hand", "serial", "wide" },
  limits = {
    context = 96, sub_context = 48, sub_steps = 8, max_width = 8, max_agents = 2, max_turns = 40,
  },
  reset = function(_, params) return { n = params.n, fail_at = params.fail_at } end,
  prompt = function(world) return { parl.tok.number[world.n] } end,
  brief = function(_, sub, task)
    sub.state.task, sub.state.done = {}, {}
    local tokens = {}
    for i, k in ipairs(task) do
      sub.state.task[i] = k
      tokens[i] = parl.tok.number[k]
    end
    return tokens
  end,
  legal = function(world, agent, _, _, taken)
    local s = agent.state
    s.done = s.done or {}
    local used, list = {}, {}
    for _, k in ipairs(taken) do used[k] = true end
    for _, k in ipairs(s.task or open_numbers(world, s)) do
      if not s.done[k] and not used[k] then list[#list + 1] = k end
    end
    return list
  end,
  deliver = function(_, main, sub, _)
    main.state.done = main.state.done or {}
    for _, k in ipairs(sub.state.task) do
      if sub.state.done[k] then main.state.done[k] = true end
    end
    return {}
  end,
  score = function(world, main)
    main.state.done = main.state.done or {}
    local n = 0
    for k = 1, world.n do
      if main.state.done[k] then n = n + 1 end
    end
    return n / world.n, { success = n == world.n and 1 or 0 }
  end,
  -- The numbers that are done, as one token each.
  summarize = function(world, main)
    local tokens = {}
    for k = 1, world.n do
      if main.state.done[k] then tokens[#tokens + 1] = parl.tok.number[k] end
    end
    return tokens
  end,
  optimum = function(world)
    local serial = world.n * (world.n + 1) // 2
    return { critical = math.min(serial, 2 + world.n), serial = serial, r_perf = 1 }
  end,
  expert = function(world, agent, style)
    if not agent.main then return next_of_sub(agent) end
    local s = agent.state
    s.done = s.done or {}
    s.turn = (s.turn or 0) + 1
    if style == "hand" then return hand[s.turn] end
    local open = open_numbers(world, s)
    if #open == 0 then return { { "finish" } } end
    if style == "serial" then return { { "work", open[1] } } end
    if s.turn == 1 then return { { "create_subagent", 1, "worker" } } end
    local calls = {}
    for i, k in ipairs(open) do calls[i] = { "assign_task", 1, { k } } end
    return calls
  end,
}
