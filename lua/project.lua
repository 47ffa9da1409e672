-- lua/project.lua - parl.project: items that pass through stages, by roles that suit the stages.
--
-- Part of the program, as lua/worklist.lua is. Jobs are the stages of the items in their order: 1
-- to world.n, job (item - 1) * #stages + stage. A job takes `effort` steps of an agent whose role
-- suits it, `slow` times as many of any other, the orchestrator included; one without effort is
-- done as soon as the stage before it is. A job can be done when the jobs that it needs are; an
-- agent knows what it was told when it was launched and what it does itself, and what it leaves
-- unfinished is lost. At most `rate` sub-agents of a launch work at once: the others are queued,
-- each on the line that is free first, and a step in a queue is a step.
-- The least critical steps of a world are project_plan.lua's.

local parl <const> = parl
local check <const>, plan <const>, get_cost <const> = ...

local MAX_FAILURES <const> = 2 -- tries of a job that fail, at most
local DONE <const> = 0.4 -- of r_perf where there is an answer
local KEYS <const> = {
  roles = {"table", true}, stages = {"table", true}, item = {"string", true},
  tell = {"function", true}, start = {"function"}, argument = {"function"},
  answer = {"function"}, random_call = {"function"},
}

-- Parameters that all have.
local PARAMS <const> = {
  p_fail = {default = 0.1, min = 0.0, max = 0.9,
            doc = "chance of each of 2 tries that fail, of every job"},
  slow = {default = 2, min = 1, max = 4,
          doc = "steps of a role that does not suit, for one of the role that does"},
}

-- ---------------------------------------------------------------------------------- an agent

return function(spec)
  check("parl.project", KEYS, spec)
  local project, roles, stages = {plan = plan}, spec.roles, spec.stages

  function project.job(item, stage)
    return (item - 1) * #stages + stage
  end

  function project.draw(rng, most, p_fail)
    local effort = rng:int(1, most)
    for _ = 1, MAX_FAILURES do
      effort = effort + (rng:chance(p_fail) and 1 or 0)
    end
    return effort
  end

  -- The item and the stage of a job.
  function project.item(job)
    return (job - 1) // #stages + 1, (job - 1) % #stages + 1
  end

  local function get_role(agent)
    for role = 1, #roles do
      if agent.role == roles[role] then return role end
    end
    return 0
  end

  function project.progress(agent)
    local state = agent.state
    if not state.done then
      state.done, state.steps, state.news, state.names, state.created, state.at =
        {}, {}, {}, {}, 0, 0
      state.f1 = spec.answer and 0 -- of the latest answer
      if spec.start then spec.start(state) end
    end
    return state
  end

  function project.is_ready(world, state, job)
    for _, need in ipairs(world.needs and world.needs[job] or {}) do
      if not state.done[need] then return false end
    end
    return true
  end

  function project.open(world, agent)
    local state, open = project.progress(agent), {}
    for _, job in ipairs(state.jobs or parl.range(1, world.n)) do
      if not state.done[job] then open[#open + 1] = job end
    end
    return open
  end

  function project.ready(world, agent)
    local state, ready = project.progress(agent), {}
    for _, job in ipairs(project.open(world, agent)) do
      if project.is_ready(world, state, job) then ready[#ready + 1] = job end
    end
    return ready
  end

  function project.work(world, agent, job)
    local state = project.progress(agent)
    if job < 1 or job > world.n then
      return "miss"
    elseif (state.wait or 0) > 0 then
      state.wait = state.wait - 1
      return "queued"
    elseif state.done[job] then
      return "done"
    elseif not project.is_ready(world, state, job) then
      return "blocked"
    end
    state.steps[job] = (state.steps[job] or 0) + 1
    if state.steps[job] < get_cost(world, get_role(agent), job) then
      return "part"
    end
    repeat -- and the stages behind it that come by themselves
      state.done[job], state.news[#state.news + 1] = true, job
      job = job + 1
    until world.effort[job] ~= 0 or state.done[job] or select(2, project.item(job)) == 1
    return "new"
  end

  -- The line that is free first takes a sub-agent that will work so long; until then it waits.
  local function join_line(world, mine, theirs, steps)
    theirs.line = theirs.line or {}
    local line, first = theirs.line, 1
    for k = 2, world.rate do
      if (line[k] or 0) < (line[first] or 0) then first = k end
    end
    mine.wait = line[first] or 0
    line[first] = mine.wait + steps
  end

  -- What an agent is told of a job that is done.
  function project.tell(world, agent, job, tokens)
    return table.move(spec.tell(world, project.progress(agent), job), 1, 8, #tokens + 1, tokens)
  end

  -- Notes the jobs of a task and all that these need.
  local function take_jobs(world, mine, task)
    local is_listed, items = {}, #stages > 1 and task[2] or task
    for _, item in ipairs(items) do
      local job = project.job(item, #stages > 1 and task[1] or 1)
      for _, other in ipairs(world.ancestors and world.ancestors[job] or {job}) do
        is_listed[other] = other <= world.n or nil
      end
    end
    mine.jobs = {}
    for job in pairs(is_listed) do mine.jobs[#mine.jobs + 1] = job end
    return items
  end

  -- The task, and what of it is done.
  function project.brief(world, sub, task, main)
    local mine, theirs, role = project.progress(sub), project.progress(main), get_role(sub)
    local tokens, steps = {#stages > 1 and parl.tok.stage[task[1]] or nil}, 0
    for _, item in ipairs(take_jobs(world, mine, task)) do
      tokens[#tokens + 1] = parl.tok[spec.item][item]
    end
    for _, job in ipairs(mine.jobs) do
      mine.done[job] = theirs.done[job]
      if mine.done[job] then
        project.tell(world, sub, job, tokens)
      else
        steps = steps + get_cost(world, role, job)
      end
    end
    if world.rate then join_line(world, mine, theirs, steps) end
    return tokens
  end

  -- The message: what is done now.
  function project.deliver(world, main, sub)
    local mine, theirs, tokens = project.progress(main), project.progress(sub), {}
    mine.line = nil
    for _, job in ipairs(theirs.news) do
      if not mine.done[job] then
        mine.done[job], mine.news[#mine.news + 1] = true, job
        project.tell(world, main, job, tokens)
      end
    end
    return tokens
  end

  -- What is done, and the items of which something is not.
  function project.summarize(world, main)
    local tokens, last = {}, 0
    for _, job in ipairs(project.progress(main).news) do
      project.tell(world, main, job, tokens)
    end
    for _, job in ipairs(project.open(world, main)) do
      local item = project.item(job)
      if item ~= last then tokens[#tokens + 1], last = parl.tok[spec.item][item], item end
    end
    return tokens
  end

  -- Items that still may be given away in this turn: where jobs need each other once, else once for
  -- each stage that is open.
  local function leave_out(world, agent, items, taken)
    if world.needs or #stages == 1 then return parl.without(items, taken) end
    local n_left, left = {}, {}
    for _, job in ipairs(project.open(world, agent)) do
      local item = project.item(job)
      n_left[item] = (n_left[item] or 0) + 1
    end
    for i = 1, #taken do
      n_left[taken[i]] = (n_left[taken[i]] or 0) - 1
    end
    for _, item in ipairs(items) do
      if n_left[item] > 0 then left[#left + 1] = item end
    end
    return left
  end

  -- A tool takes what is ready; assign_task a stage, if there are several, and what is open of it.
  function project.legal(world, agent, tool, slot, taken, given)
    local is_task <const> = tool == "assign_task"
    local is_stage <const> = is_task and #stages > 1 and slot == 1
    local is_listed, values = {}, {}
    for _, job in ipairs(project[is_task and "open" or "ready"](world, agent)) do
      local item, stage = project.item(job)
      local value = is_stage and stage or item
      local fits = is_stage or (is_task and (#stages == 1 or stage == given[1]))
        or stages[stage] == tool
      if fits and not is_listed[value] then
        is_listed[value], values[#values + 1] = true, value
      end
    end
    return is_task and not is_stage and leave_out(world, agent, values, taken) or values
  end

  -- -------------------------------------------------------------------------------- experts

  local function create(state, role)
    state.created = state.created + 1
    state.names[role] = state.created
    return {{"create_subagent", state.created, roles[role]}}
  end

  local function create_missing(state, wanted)
    for _, role in ipairs(wanted) do
      if not state.names[role] then return create(state, role) end
    end
  end

  local function call(world, job)
    local item, stage = project.item(job)
    return {stages[stage], item, spec.argument and spec.argument(world, job)}
  end

  local function assign(name, job)
    local item, stage = project.item(job)
    return #stages > 1 and {"assign_task", name, stage, {item}} or {"assign_task", name, {item}}
  end

  local function play_randomly(world, agent, ready)
    local state, rng = agent.state, agent.rng
    if state.created > 0 and rng:chance(0.5) then
      local calls = {}
      rng:shuffle(ready)
      for i = 1, rng:int(1, #ready) do
        calls[i] = assign(rng:int(1, state.created), ready[i])
      end
      return calls
    elseif state.created < #roles and rng:chance(0.3) then
      return create(state, rng:int(1, #roles))
    end
    local own = spec.random_call and spec.random_call(world, agent)
    return {own or rng:chance(0.02) and {"finish"} or call(world, rng:pick(ready))}
  end

  -- The next move of the plan; behind its launches the rest, one after the other.
  local function follow_plan(world, agent, ready)
    local state, calls = agent.state, {}
    local create_call = create_missing(state, world.roles)
    if create_call then return create_call end
    state.at = state.at + 1
    local move = world.moves[state.at]
    for i, share in ipairs(move and move.shares or {}) do
      calls[i] = assign(state.names[share[1]], share[2])
    end
    return move and calls or {call(world, ready[1])}
  end

  local function launch_ready(world, state, ready, n)
    local calls = {}
    for i = 1, math.min(n, #ready) do
      calls[i] = assign(state.names[world.suits[ready[i]]], ready[i])
    end
    return calls
  end

  -- The first job that is ready, nil if there is none. Those before the first open one stay done.
  local function get_first(world, state)
    local jobs, n = state.jobs, state.jobs and #state.jobs or world.n
    local k = state.first or 1
    while k <= n and state.done[jobs and jobs[k] or k] do k = k + 1 end
    state.first = k
    for i = k, n do
      local job = jobs and jobs[i] or i
      if not state.done[job] and project.is_ready(world, state, job) then return job end
    end
  end

  function project.turn(world, agent, style)
    local state = project.progress(agent)
    local first = get_first(world, state)
    if not first and agent.main and spec.answer and not state.answered then
      state.answered = true
      return {spec.answer(world, state)}
    elseif not first then
      return {{"finish"}}
    elseif not agent.main or style == "serial" or (style == "oracle" and world.width == 0) then
      return {call(world, first)}
    end
    local ready = project.ready(world, agent)
    if style == "random" then
      return play_randomly(world, agent, ready)
    end
    return style == "oracle" and world.moves and follow_plan(world, agent, ready)
      or create_missing(state, world.useful)
      or launch_ready(world, state, ready, style == "narrow" and 2 or #ready)
  end

  function project.share(world, main)
    return #project.progress(main).news / world.n
  end

  -- With an answer, the share is DONE of r_perf, and the F1 of the answer the rest.
  local function get_r_perf(share, f1)
    return spec.answer and DONE * share + (1 - DONE) * f1 or share
  end

  local function score(world, main)
    local r_perf = get_r_perf(project.share(world, main), project.progress(main).f1)
    return r_perf, r_perf >= get_r_perf(1, world.f1) - 1e-9 and 1 or 0
  end

  local function get_optimum(world)
    local more <const> = spec.answer and 1 or 0
    return {critical = world.critical + more, serial = world.serial + more,
            r_perf = get_r_perf(1, world.f1), is = world.is,
            width = world.is == "exact" and world.width or nil}
  end

  function project.declare(env)
    local common = {
      roles = roles,
      task = {args = {#stages > 1 and "stage" or spec.item .. "+",
                      #stages > 1 and spec.item .. "+" or nil}, max = 16},
      styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
      legal = project.legal, brief = project.brief, deliver = project.deliver,
      summarize = project.summarize, expert = project.turn,
      score = score, optimum = get_optimum,
      family = function()
        return env.name
      end,
    }
    for key, value in pairs(common) do
      if env[key] == nil then env[key] = value end
    end
    for key, value in pairs(PARAMS) do
      env.params[key] = env.params[key] or value
    end
    return env
  end

  return project
end
