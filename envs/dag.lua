-- dag: tasks with prerequisites, done by whoever may do them. A dial: depth 1 is a breadth-first
-- search of independent tasks, width 1 a chain, and anything between is a project.
--
-- A task has a kind (search, read, code, test, write) and an effort, which the prompt shows; tries
-- that fail add to it, which nobody sees. A sub-agent of the role that suits the kind needs
-- `effort` steps; every other role, and the orchestrator itself, needs `slow` times as many.
-- Nothing can be done before its prerequisites are, and a sub-agent knows only what was done when
-- it was launched and what it does itself; a task that its agent leaves unfinished is lost.
--
-- Optimum, by dynamic programming over sets of done tasks, for each set of roles created first (an
-- agent created later is as dear). From a set S the orchestrator can do one task itself, or launch
-- for T steps. In a launch each sub-agent can finish any task whose open ancestors and itself fit
-- into T by its role; sub-agents may repeat each other's work, so what T can finish is one set, the
-- largest, and more done is never worse. Only the values T at which that set grows matter.
--
-- An agent's own progress is in agent.state: done (bits), steps[task].

local parl <const> = parl
local tok <const> = parl.tok

local MAX_FAILURES <const> = 2 -- tries of a task that fail, at most
local MAX_EXACT <const> = 12   -- tasks up to which the optimum is computed
local ROLES <const> = {"researcher", "engineer", "writer"}
local SUITS <const> = {1, 1, 2, 2, 3} -- role of each kind

-- ------------------------------------------------------------------------------ the optimum

-- Steps that role r (0: the orchestrator) needs for a task.
local function get_cost(world, r, task)
  local suits = SUITS[world.kind[task]] == r
  return suits and world.effort[task] or world.slow * world.effort[task]
end

-- Least steps in which a sub-agent of one of the created roles finishes a task, and that role.
local function get_closure_cost(world, roles, done, task)
  local best, best_role
  for r = 1, #ROLES do
    if roles >> r & 1 == 1 then
      local sum = 0
      for _, other in ipairs(world.ancestors[task]) do
        if done >> other & 1 == 0 then
          sum = sum + get_cost(world, r, other)
        end
      end
      if not best or sum < best then
        best, best_role = sum, r
      end
    end
  end
  return best, best_role
end

local function is_ready(world, done, task)
  return done & world.needs[task] == world.needs[task]
end

-- A launch beats the orchestrator's own work if a suitable role exists: 1 + effort <= slow *
-- effort.
local function may_work_alone(world, roles, task)
  return roles >> SUITS[world.kind[task]] & 1 == 0 or world.slow == 1
end

-- Least critical steps from `done` to the end with the created roles, and the first move: a
-- positive task to do alone, or -T to launch for T steps. memo is of one set of roles.
local function solve(world, roles, done, memo)
  if done == world.all then
    return 0
  elseif memo[done] then
    return memo[done][1], memo[done][2]
  end
  local best, move = math.maxinteger, 0
  local times, when = {}, {}
  for task = 1, world.n do
    if done >> task & 1 == 0 then
      if roles > 0 then
        local steps = get_closure_cost(world, roles, done, task)
        when[task], times[#times + 1] = steps, steps
      end
      if is_ready(world, done, task) and may_work_alone(world, roles, task) then
        local cost = get_cost(world, 0, task) + solve(world, roles, done | 1 << task, memo)
        if cost < best then best, move = cost, task end
      end
    end
  end
  table.sort(times)
  for i, steps in ipairs(times) do
    if steps ~= times[i - 1] and 1 + steps < best then
      local after = done
      for task = 1, world.n do
        if when[task] and when[task] <= steps then after = after | 1 << task end
      end
      local cost = 1 + steps + solve(world, roles, after, memo)
      if cost < best then best, move = cost, -steps end
    end
  end
  memo[done] = {best, move}
  return best, move
end

-- The best set of roles (bits 1 to 3) and the critical steps with it.
local function solve_roles(world)
  local best, best_roles = world.serial, 0
  for roles = 2, 14, 2 do
    local n_created = (roles >> 1 & 1) + (roles >> 2 & 1) + (roles >> 3 & 1)
    if roles & world.useful == roles and n_created + 1 + world.longest < best then
      local cost = n_created + solve(world, roles, 0, {})
      if cost < best then best, best_roles = cost, roles end
    end
  end
  return best, best_roles
end

-- ---------------------------------------------------------------------------------- the world

local function add_task(rng, params, world, layer, previous)
  local task = world.n + 1
  world.n, layer[#layer + 1] = task, task
  world.kind[task], world.shown[task] = rng:int(1, 5), rng:int(1, params.effort_max)
  world.effort[task], world.needs[task] = world.shown[task], 0
  for _ = 1, MAX_FAILURES do
    if rng:chance(params.p_fail) then
      world.effort[task] = world.effort[task] + 1
    end
  end
  if #previous > 0 then
    for _ = 1, rng:int(1, 2) do
      world.needs[task] = world.needs[task] | 1 << rng:pick(previous)
    end
  end
end

-- Ancestors of each task, itself last; tasks are numbered so that prerequisites come first.
local function close_graph(world)
  local before, finish = {}, {}
  world.serial, world.longest, world.useful, world.all = 0, 0, 0, 0
  for task = 1, world.n do
    before[task], finish[task] = 1 << task, 0
    for other = 1, task - 1 do
      if world.needs[task] >> other & 1 == 1 then
        before[task] = before[task] | before[other]
        finish[task] = math.max(finish[task], finish[other])
      end
    end
    local list = {}
    for other = 1, task do
      if before[task] >> other & 1 == 1 then list[#list + 1] = other end
    end
    finish[task] = finish[task] + world.effort[task]
    world.ancestors[task], world.all = list, world.all | 1 << task
    world.serial = world.serial + get_cost(world, 0, task)
    world.longest = math.max(world.longest, finish[task])
    world.useful = world.useful | 1 << SUITS[world.kind[task]]
  end
end

local function reset(rng, params)
  if params.depth_min > params.depth_max then
    error("depth_min exceeds depth_max")
  end
  local world = {
    n = 0, slow = params.slow, kind = {}, shown = {}, effort = {}, needs = {}, ancestors = {},
  }
  local previous = {}
  for _ = 1, rng:int(params.depth_min, params.depth_max) do
    local layer = {}
    for _ = 1, rng:int(params.width_min, math.max(params.width_min, params.width_max)) do
      add_task(rng, params, world, layer, previous)
    end
    previous = layer
  end
  close_graph(world)
  world.is_exact = world.n <= MAX_EXACT
  if world.is_exact then
    world.critical, world.roles = solve_roles(world)
  else
    world.critical, world.roles = math.min(world.serial, 2 + world.longest), world.useful
  end
  return world
end

-- kind task effort, and `after` its prerequisites.
local function prompt(world)
  local tokens = {}
  for task = 1, world.n do
    tokens[#tokens + 1] = tok.kind[world.kind[task]]
    tokens[#tokens + 1] = tok.node[task]
    tokens[#tokens + 1] = tok.effort[world.shown[task]]
    if world.needs[task] > 0 then
      tokens[#tokens + 1] = tok.word.after
    end
    for other = 1, task - 1 do
      if world.needs[task] >> other & 1 == 1 then
        tokens[#tokens + 1] = tok.node[other]
      end
    end
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function ready_tasks(world, state)
  local tasks = {}
  for task = 1, world.n do
    if state.done >> task & 1 == 0 and is_ready(world, state.done, task) then
      tasks[#tasks + 1] = task
    end
  end
  return tasks
end

local list <const> = parl.worklist {
  tool = "work",
  role = ROLES,
  agents = 3,
  start = function(state)
    state.done, state.steps = 0, {}
  end,
  is_open = function(_, state, task)
    return state.done >> task & 1 == 0
  end,
  random_launch = function(_, agent, ready)
    local rng, calls = agent.rng, {}
    rng:shuffle(ready)
    for i = 1, rng:int(1, #ready) do
      calls[i] = {"assign_task", rng:int(1, agent.state.created), {ready[i]}}
    end
    return calls
  end,
}

local function get_role(agent)
  for r = 1, #ROLES do
    if agent.role == ROLES[r] then return r end
  end
  return 0
end

local function work(world, agent, task)
  local state = list.progress(agent)
  if task > world.n then
    return {tok.word.miss}
  elseif state.done >> task & 1 == 1 then
    return {tok.word.done}
  elseif not is_ready(world, state.done, task) then
    return {tok.word.blocked}
  end
  state.steps[task] = (state.steps[task] or 0) + 1
  if state.steps[task] < get_cost(world, get_role(agent), task) then
    return {tok.word.part}
  end
  state.done = state.done | 1 << task
  return {tok.word.done}
end

-- The orchestrator can do what is ready, and give away whatever is open.
local function legal(world, agent, tool, _, taken)
  local is_work <const> = agent.main and tool == "work"
  local tasks = is_work and ready_tasks(world, list.progress(agent)) or list.open(world, agent)
  return parl.without(tasks, taken)
end

local function brief(world, sub, task, main)
  local mine, tokens = list.progress(sub), {}
  mine.done, mine.task = list.progress(main).done, task
  for _, node in ipairs(task) do
    tokens[#tokens + 1] = tok.node[node]
    if node > world.n then
      tokens[#tokens + 1] = tok.word.miss
    elseif mine.done >> node & 1 == 1 then
      tokens[#tokens + 1] = tok.word.done
    else
      tokens[#tokens + 1] = tok.kind[world.kind[node]]
      tokens[#tokens + 1] = tok.effort[world.shown[node]]
    end
  end
  return tokens
end

-- The message: tasks of the sub-agent's that are still open.
local function deliver(world, main, sub)
  local mine, theirs, tokens = list.progress(main), list.progress(sub), {}
  mine.done = mine.done | theirs.done
  for i, task in ipairs(list.open(world, sub)) do
    tokens[i] = tok.node[task]
  end
  return tokens
end

-- The share of the tasks that are done.
local function score(world, main)
  local done, n_done = list.progress(main).done, 0
  for task = 1, world.n do
    n_done = n_done + (done >> task & 1)
  end
  return n_done / world.n, {success = n_done == world.n and 1 or 0}
end

-- What a launch of T steps finishes beyond `done`: each open end with all its open ancestors and
-- the role that does it; and what is done then.
local function share_out(world, roles, done, steps)
  local shares, covered = {}, done
  for task = world.n, 1, -1 do -- open ends come last: what they cover needs no one else
    local cost, r = get_closure_cost(world, roles, done, task)
    if covered >> task & 1 == 0 and cost <= steps then
      local tasks = {}
      for _, other in ipairs(world.ancestors[task]) do
        if done >> other & 1 == 0 then
          tasks[#tasks + 1] = other
          covered = covered | 1 << other
        end
      end
      shares[#shares + 1] = {role = r, tasks = tasks}
    end
  end
  return shares, covered
end

-- The widest launch of the plan that solve() makes.
local function get_width(world)
  local width, done, memo = 0, 0, {}
  while done ~= world.all do
    local _, move = solve(world, world.roles, done, memo)
    if move > 0 then
      done = done | 1 << move
    else
      local shares
      shares, done = share_out(world, world.roles, done, -move)
      width = math.max(width, #shares)
    end
  end
  return width
end

local function optimum(world)
  local is_exact <const> = world.is_exact or world.critical == world.serial
  return {critical = world.critical, serial = world.serial, r_perf = 1,
          is = is_exact and "exact" or "bound",
          width = world.is_exact and get_width(world) or nil}
end

-- ------------------------------------------------------------------------------ the experts

-- Creates the first missing role of a set (bits), or nil. state.name[r] is the name of role r.
local function create_role(state, roles)
  state.name = state.name or {}
  for r = 1, #ROLES do
    if roles >> r & 1 == 1 and not state.name[r] then
      state.created = state.created + 1
      state.name[r] = state.created
      return {{"create_subagent", state.created, ROLES[r]}}
    end
  end
  return nil
end

local function launch_for(world, state, roles, steps)
  local calls = {}
  for i, share in ipairs((share_out(world, roles, state.done, steps))) do
    calls[i] = {"assign_task", state.name[share.role], share.tasks}
  end
  return calls
end

-- The first n of a list of tasks, each to the role that suits it.
local function launch_each(world, state, tasks, n)
  local calls = {}
  for i = 1, math.min(n, #tasks) do
    calls[i] = {"assign_task", state.name[SUITS[world.kind[tasks[i]]]], {tasks[i]}}
  end
  return calls
end

local function oracle_turn(world, state, ready)
  if not world.is_exact then -- as greedy_wide
    return create_role(state, world.useful)
      or launch_each(world, state, ready, world.n)
  end
  local create = create_role(state, world.roles)
  if create then
    return create
  end
  local _, move = solve(world, world.roles, state.done, {})
  if move > 0 then
    return {{"work", move}}
  end
  return launch_for(world, state, world.roles, -move)
end

local function sub_turn(world, agent)
  local open, state = list.open(world, agent), agent.state
  for _, task in ipairs(open) do
    if is_ready(world, state.done, task) then
      return {{"work", task}}
    end
  end
  return {#open > 0 and {"work", open[1]} or {"finish"}} -- a blocked task is waited for
end

local function expert(world, agent, style)
  if not agent.main then
    return sub_turn(world, agent)
  end
  local state = list.progress(agent)
  local ready = ready_tasks(world, state)
  if #ready == 0 or style == "serial" or style == "random" then
    return list.turn(world, agent, style, ready)
  elseif style == "oracle" then
    return oracle_turn(world, state, ready)
  end
  return create_role(state, world.useful)
    or launch_each(world, state, ready, style == "narrow" and 2 or world.n)
end

-- Steps of one sub-agent: no plan worth having takes more, since three roles and one launch for
-- each layer already need no more than this.
local function sub_steps(params)
  return #ROLES + params.depth_max * (1 + params.effort_max + MAX_FAILURES)
end

return parl.env {
  name = "dag",
  summary = "tasks with prerequisites and roles that suit them: a dial from breadth to depth",
  params = {
    width_min = {default = 1, min = 1, max = 4, doc = "least tasks of a layer"},
    width_max = {default = 3, min = 1, max = 4, doc = "most tasks of a layer"},
    depth_min = {default = 2, min = 1, max = 6, doc = "least layers"},
    depth_max = {default = 3, min = 1, max = 6, doc = "most layers"},
    effort_max = {default = 3, min = 1, max = 6, doc = "largest effort; the spread of durations"},
    p_fail = {default = 0.1, min = 0.0, max = 0.9, doc = "chance of each of two tries that fail"},
    slow = {default = 2, min = 1, max = 4,
            doc = "steps of a role that does not suit, for one of the role that does; 1: all do"},
  },
  presets = {
    bfs = {width_min = 4, width_max = 4, depth_min = 1, depth_max = 2},
    dfs = {width_min = 1, width_max = 1, depth_min = 4, depth_max = 6},
    easy = {width_max = 2, depth_min = 1, depth_max = 2, effort_max = 2, p_fail = 0.0},
    hard = {width_min = 2, width_max = 3, depth_min = 3, depth_max = 4, p_fail = 0.3},
  },
  roles = {"researcher", "engineer", "writer"},
  families = {
    node = 24,
    effort = 6,
    kind = {"search", "read", "code", "test", "write"},
    word = {"miss", "part", "done", "blocked", "after"},
  },
  tools = {
    work = {args = {"node"}, doc = "one step of work on a task", run = work},
  },
  task = {args = {"node+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
  limits = function(params)
    local n = math.max(params.width_min, params.width_max) * params.depth_max
    local alone = params.slow * (params.effort_max + MAX_FAILURES)
    return {
      context = 32 + n * (10 + params.slow * (2 + params.effort_max)),
      sub_context = 8 + 3 * n + 3 * sub_steps(params),
      sub_steps = sub_steps(params),
      max_width = 16,
      max_agents = 3,
      max_turns = 16 + n * alone,
    }
  end,
  reset = reset,
  prompt = prompt,
  legal = legal,
  brief = brief,
  deliver = deliver,
  score = score,
  optimum = optimum,
  expert = expert,
  family = function() return "dag" end,
}
