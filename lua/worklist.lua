-- lua/worklist.lua - parl.worklist: items 1 .. world.n that agents work off, alone or side by side.
--
-- Part of the program, which compiles it for a file that asks for it. A chunk that returns the
-- function: it takes what is particular to the environment and gives what such environments share,
-- an agent's progress, its open items and the ladder of experts.

local parl <const> = parl
local check <const> = ...

-- Keys of the argument and their types; `true`: needed.
local KEYS <const> = {
  tool = {"string", true}, is_open = {"function", true}, role = {"string|table", true},
  start = {"function"}, alone = {"function"}, launch = {"function"}, width = {"number"},
  in_order = {"boolean"}, agents = {"number"}, random_launch = {"function"},
  random_call = {"function"}, launch_chance = {"number"},
}

local function create(spec, state, rng)
  local role <const> = spec.role
  state.created = state.created + 1
  return {{"create_subagent", state.created,
           type(role) == "string" and role or rng and rng:pick(role) or role[1]}}
end

-- Any of the moves there are, so that a model that starts from them has seen all.
local function play_randomly(spec, world, agent, items)
  local state, rng = agent.state, agent.rng
  if state.created > 0 and rng:chance(spec.launch_chance or 0.5) then
    if spec.random_launch then
      return spec.random_launch(world, agent, items)
    end
    rng:shuffle(items)
    return parl.launch(parl.split(items, 1), rng:int(1, #items))
  elseif state.created < (spec.agents or 2) and rng:chance(0.3) then
    return create(spec, state, rng)
  end
  local call = spec.random_call and spec.random_call(world, agent)
  if call then
    return {call}
  elseif rng:chance(0.02) then
    return {{"finish"}}
  end
  return {{spec.tool, spec.in_order and items[1] or rng:pick(items)}}
end

-- The experts' ladder: finish when nothing is open; work where that is all there is to do; create
-- a sub-agent's configuration, once; launch.
local function play(spec, world, agent, style, items)
  local state = agent.state
  if #items == 0 then
    return {{"finish"}}
  elseif agent.main and style == "random" then
    return play_randomly(spec, world, agent, items)
  elseif not agent.main or style == "serial"
    or (spec.alone and spec.alone(world, style, state)) then
    return {{spec.tool, items[1]}}
  elseif state.created == 0 then
    return create(spec, state)
  end
  return spec.launch and spec.launch(world, style, items)
    or parl.launch(parl.split(items, 1), style == "narrow" and 2 or spec.width)
end

return function(spec)
  check("parl.worklist", KEYS, spec)
  local work = {}

  function work.progress(agent)
    local state = agent.state
    if not state.created then
      state.created = 0
      if spec.start then spec.start(state) end
    end
    return state
  end

  function work.open(world, agent)
    local state, n, open = work.progress(agent), world.n, {}
    local items = agent.main and parl.range(1, n) or state.task
    for k = 1, #items do
      if items[k] <= n and spec.is_open(world, state, items[k]) then
        open[#open + 1] = items[k]
      end
    end
    return open
  end

  function work.turn(world, agent, style, items)
    return play(spec, world, agent, style, items or work.open(world, agent))
  end

  return work
end
