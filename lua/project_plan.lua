-- lua/project_plan.lua - the best play of a world of lua/project.lua, and what it takes.
--
-- The least critical steps. Let a set of roles be created, at a step each. In a launch of T steps
-- every job can be finished whose open ancestors and itself fit into T by one of them: sub-agents
-- may repeat each other's work, so what T can finish is one set, the largest, and more done is
-- never worse. A job that the orchestrator does before a launch might as well be done in it, by
-- everyone who needs it: the launch takes no more steps more than the job took. So the best play is
-- some launches, then what the orchestrator does alone: a search over sets of done jobs. Where no
-- job needs another one launch is enough, since two are one schedule with a step more: T is the
-- largest of the jobs' least costs, or their makespan on `rate` lines. Where the search is cut off,
-- or jobs are more than MAX_JOBS, there is a bound: a role, a launch and the longest path.

local parl <const> = parl

local MAX_JOBS <const> = 24 -- of projects that are searched
local MAX_STATES <const> = 400 -- sets of done jobs that the search looks at

-- Steps that a role (0: the orchestrator's) needs for a job.
local function get_cost(world, role, job)
  return (world.suits[job] == role and 1 or world.slow) * world.effort[job]
end

-- What the cheapest of the roles needs for a job, and which it is.
local function get_cheapest(world, roles, job)
  local best, best_role
  for i = 1, #roles do
    local cost = get_cost(world, roles[i], job)
    if not best or cost < best then
      best, best_role = cost, roles[i]
    end
  end
  return best, best_role
end

-- Roles that suit a job, in their order.
local function get_useful(world)
  local suits, useful = {}, {}
  for job = 1, world.n do
    suits[world.suits[job]] = true
  end
  for role in pairs(suits) do
    useful[#useful + 1] = role
  end
  return useful
end

-- Jobs in the order in which the groups, each on its line, come to them.
local function order_groups(costs, groups)
  local jobs, starts = {}, {}
  for _, group in ipairs(groups) do
    local start = 0
    for _, job in ipairs(group) do
      jobs[#jobs + 1], starts[job] = job, start
      start = start + costs[job]
    end
  end
  table.sort(jobs, function(a, b)
    return starts[a] < starts[b]
  end)
  return jobs
end

-- One launch with these roles: a sub-agent for each job. Its steps, the move, whether they are the
-- least.
local function plan_launch(world, roles)
  local costs, by, longest, is_exact = {}, {}, 0, true
  local order = parl.range(1, world.n)
  for job = 1, world.n do
    costs[job], by[job] = get_cheapest(world, roles, job)
    longest = math.max(longest, costs[job])
  end
  if world.rate and world.rate < world.n then
    local groups
    longest, groups, is_exact = parl.makespan(costs, world.rate)
    order = order_groups(costs, groups)
  end
  local shares = {}
  for i, job in ipairs(order) do
    shares[i] = {by[job], job}
  end
  return 1 + longest, {shares = shares}, is_exact
end

-- Steps of each role for each job that is open once `done` (bits) is, and all that it still needs:
-- the least over the roles, and whose they are. `of` has what is fixed: world, roles, costs, memo.
local function get_closures(of, done)
  local when, by = {}, {}
  for job = 1, of.world.n do
    if done >> job & 1 == 0 then
      local ancestors = of.world.ancestors[job]
      for i = 1, #of.roles do
        local costs, sum = of.costs[i], 0
        for k = 1, #ancestors do
          if done >> ancestors[k] & 1 == 0 then sum = sum + costs[ancestors[k]] end
        end
        if not when[job] or sum < when[job] then
          when[job], by[job] = sum, of.roles[i]
        end
      end
    end
  end
  return when, by
end

-- Least steps from `done` to the end, and how long the first launch is; 0: there is none, the
-- orchestrator does the rest.
local function solve(of, done)
  local memo <const> = of.memo
  if done == of.all then
    return 0, 0
  elseif memo[done] then
    return memo[done][1], memo[done][2]
  end
  of.n_states = of.n_states + 1
  if of.n_states > MAX_STATES then return 0, 0 end
  local when, best, first = get_closures(of, done), 0, 0
  local n <const>, longest, is_time = of.world.n, 0, {}
  for job = 1, n do
    if when[job] then
      best, longest = best + get_cost(of.world, 0, job), math.max(longest, when[job])
      is_time[when[job]] = true
    end
  end
  for steps = 1, longest do
    if is_time[steps] and 1 + steps < best then
      local after = done
      for job = 1, n do
        if when[job] and when[job] <= steps then after = after | 1 << job end
      end
      local cost = 1 + steps + solve(of, after)
      if cost < best then best, first = cost, steps end
    end
  end
  memo[done] = {best, first}
  return best, first
end

-- The moves of that play. In a launch each open end goes, with what it needs, to the role that does
-- it: ends come last, what they cover needs nobody else.
local function list_moves(of)
  local moves, done = {}, 0
  while done ~= of.all do
    local _, steps = solve(of, done)
    local when, by = get_closures(of, done)
    local shares, covered = {}, done
    for job = of.world.n, 1, -1 do
      if covered >> job & 1 == 0 and when[job] <= steps then
        shares[#shares + 1] = {by[job], job}
        for _, other in ipairs(of.world.ancestors[job]) do covered = covered | 1 << other end
      end
    end
    if steps == 0 then return moves end -- the rest is done in order
    moves[#moves + 1], done = {shares = shares}, covered
  end
  return moves
end

-- The longest path if each job is done by the cheapest of the roles: no play with them is quicker.
local function get_longest(world, roles)
  local finish, longest = {}, 0
  for job = 1, world.n do
    local latest = 0
    for _, need in ipairs(world.needs[job]) do latest = math.max(latest, finish[need]) end
    finish[job] = latest + get_cheapest(world, roles, job)
    longest = math.max(longest, finish[job])
  end
  return longest
end

-- The least over all sets of roles, the moves and the roles, and whether it is the least; no moves
-- where no set is less than working alone. nil: the search was cut off.
local function plan_roles(world, useful)
  local best, best_moves, best_roles, is_exact = world.serial, {}, {}, true
  for set = (1 << #useful) - 1, 1, -1 do
    local of = {world = world, roles = {}, costs = {}, memo = {}, n_states = 0,
                all = (1 << world.n + 1) - 2}
    for i = 1, #useful do
      if set >> (i - 1) & 1 == 1 then of.roles[#of.roles + 1] = useful[i] end
    end
    for i, role in ipairs(of.roles) do
      of.costs[i] = {}
      for job = 1, world.n do of.costs[i][job] = get_cost(world, role, job) end
    end
    local n <const> = #of.roles
    if not world.needs then
      local steps, move, is_least = plan_launch(world, of.roles)
      if n + steps < best then
        best, best_moves, best_roles, is_exact = n + steps, {move}, of.roles, is_least
      end
    elseif n + 1 + get_longest(world, of.roles) < best then
      local steps = solve(of, 0)
      if of.n_states > MAX_STATES then return nil end
      if n + steps < best then
        best, best_moves, best_roles = n + steps, list_moves(of), of.roles
      end
    end
  end
  return best, best_moves, best_roles, is_exact
end

-- Ancestors of each job, itself last.
local function close_needs(world)
  world.ancestors = {}
  for job = 1, world.n do
    local is_before, list = {[job] = true}, {}
    for _, need in ipairs(world.needs[job]) do
      for _, other in ipairs(world.ancestors[need]) do is_before[other] = true end
    end
    for other in pairs(is_before) do list[#list + 1] = other end
    world.ancestors[job] = list
  end
end

-- Adds to a world, while it is made: serial, critical, is, width, roles and moves of the best play.
local function plan(world)
  world.serial, world.useful = 0, get_useful(world)
  for job = 1, world.n do
    world.serial = world.serial + get_cost(world, 0, job)
  end
  if world.needs then
    if world.rate then error("a world has needs or a rate, not both", 2) end
    close_needs(world)
  end
  local is_exact
  if not world.needs or world.n <= MAX_JOBS then
    world.critical, world.moves, world.roles, is_exact = plan_roles(world, world.useful)
  end
  if not world.critical then
    world.critical = math.min(world.serial, 2 + get_longest(world, world.useful))
    is_exact = world.critical == world.serial
    world.width = is_exact and 0 or nil
  end
  world.is = is_exact and "exact" or "bound"
  if world.moves then
    world.width = 0
    for _, move in ipairs(world.moves) do
      world.width = math.max(world.width, #move.shares)
    end
  end
end

return plan, get_cost
