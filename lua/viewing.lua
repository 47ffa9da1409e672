-- lua/viewing.lua - parl.viewing: pictures 1 .. world.n that agents look at and answer for.
--
-- Part of the program, as lua/worklist.lua is. Each picture has one answer, due from an agent that
-- has seen what it rests on: all views of one of the picture's ways. A view is a call of a tool on
-- it, `look` before any other, which shows nothing of a picture that was not looked at. An answer
-- before that is refused and is a step all the same. Views are not passed on, answers are; so each
-- picture is some agent's, whole, and takes its cheapest way and the answer.
--
-- What a view shows is tokens or, where params.modality is image, pictures that say the same. Where
-- it is both, chance decides it for each task, and the task's kind says it: "how_many_image".
--
-- The least critical steps: alone, the sum over pictures. Else create_subagent, a launch and the
-- least makespan on `width` sub-agents: a picture that the orchestrator answers itself costs what
-- it takes and shortens that by no more, and two launches are one schedule with a step more.

local parl <const> = parl
local check <const> = ...

local KEYS <const> = {
  item = {"string", true}, answer = {"string", true}, value = {"string", true},
  tell = {"function", true}, draw = {"function", true}, size = {"function", true},
  truth = {"function", true}, rate = {"function", true}, ask = {"function"}, legal = {"function"},
  ability = {"function"},
}
local ROLE <const> = "viewer"
local MOST_TASK <const> = 16 -- items of an assign_task
local USUAL <const> = 8 -- pixels on a side of a token, where model.vision.patch is 4
local AROUND <const> = 4 -- tokens beside those of an image itself
local MODALITY <const> = {default = "text", choice = {"text", "image", "both"},
                          doc = "what a view shows: tokens, or images; both: each in half "
                                .. "the tasks"}

local function list_of(value)
  return type(value) == "table" and table.move(value, 1, #value, 1, {}) or {value}
end

-- Adds to a world, while it is made: sees, is_either, serial, makespan, groups, is_exact.
local function plan(world, params, rng)
  world.is_either = params.modality == "both"
  if world.is_either and rng == nil then
    error("viewing.plan: params.modality = both, but the third argument, rng, is nil", 2)
  end
  world.sees = params.modality == "image" or world.is_either and rng:chance(0.5)
  local costs, width <const> = {}, world.width or world.n
  world.serial, world.makespan, world.is_exact = 0, 0, true
  for item = 1, world.n do
    local least = math.huge
    for _, way in ipairs(world.ways[item]) do
      least = math.min(least, #way)
    end
    costs[item] = least + 1
    world.serial = world.serial + costs[item]
    world.makespan = math.max(world.makespan, costs[item])
  end
  if world.n > width then
    world.makespan, world.groups, world.is_exact = parl.makespan(costs, width)
    for _, group in ipairs(world.groups) do
      if #group > MOST_TASK then
        error(("%d items for one sub-agent exceed the %d of a task"):format(#group, MOST_TASK))
      end
    end
  end
end

local function optimum(world)
  local alone <const> = world.serial <= 2 + world.makespan
  local is_exact <const> = alone or world.is_exact
  return {
    critical = math.min(world.serial, 2 + world.makespan), serial = world.serial, r_perf = 1,
    is = is_exact and "exact" or "bound",
    width = alone and 0 or is_exact and (world.groups and #world.groups or world.n) or nil,
  }
end

-- Calls of a way that are not made, and the first of them.
local function get_left(seen, way)
  local n, first = 0, nil
  for _, view in ipairs(way) do
    if not seen[view[1] .. (view[2] or "")] then
      n, first = n + 1, first or view
    end
  end
  return n, first
end

-- The next view on the shortest way from here; nil: all is seen.
local function get_next(world, state, item)
  local least, best = math.huge, nil
  for _, way in ipairs(world.ways[item]) do
    local n, view = get_left(state.seen[item] or {}, way)
    if n < least then least, best = n, view end
  end
  return best
end

return function(spec)
  check("parl.viewing", KEYS, spec)
  local viewing = {plan = plan, optimum = optimum}

  local work <const> = parl.worklist {
    tool = "look",
    role = ROLE,
    start = function(state)
      -- views by item; items that need no answer any more; answers, and what they are worth
      state.seen, state.done, state.given, state.worth = {}, {}, {}, {}
    end,
    is_open = function(_, state, item)
      return not state.done[item]
    end,
    alone = function(world, style)
      return style == "oracle" and world.serial <= 2 + world.makespan
    end,
    launch = function(world, style, items)
      local groups <const> = world.groups
      return style == "oracle" and groups and #items == world.n and parl.launch(groups)
        or parl.launch(parl.split(items, 1), style == "narrow" and 2 or world.width)
    end,
    random_launch = function(world, agent, items)
      agent.rng:shuffle(items)
      return parl.launch(parl.split(items, 1),
                         agent.rng:int(1, math.min(world.width or #items, #items)))
    end,
    random_call = function(world, agent) -- any answer that makes sense, or another's
      local rng <const>, state <const> = agent.rng, agent.state
      local item <const>, other <const> = rng:int(1, world.n), rng:int(1, world.n)
      if not state.seen[item] or state.done[item] or not rng:chance(0.2) then return nil end
      local values <const> = spec.legal and spec.legal(world, item, spec.answer, {})
      return {spec.answer, item, values and rng:pick(values) or spec.truth(world, other)}
    end,
  }

  -- The question about an item, behind it.
  local function ask(world, item, tokens)
    tokens[#tokens + 1] = parl.tok[spec.item][item]
    return table.move(spec.ask and spec.ask(world, item) or {}, 1, 8, #tokens + 1, tokens)
  end

  local function tell(item, value, tokens)
    tokens[#tokens + 1] = parl.tok[spec.item][item]
    for _, one in ipairs(list_of(value)) do
      tokens[#tokens + 1] = parl.tok[spec.value][one]
    end
  end

  function viewing.view(tool)
    return function(world, agent, item, argument)
      local state <const> = work.progress(agent)
      if item > world.n then
        return parl.tok.word.miss
      end
      local seen <const> = state.seen[item] or {}
      if tool ~= "look" and not seen.look then
        return parl.tok.word.unseen
      end
      state.seen[item], seen[tool .. (argument or "")] = seen, true
      return world.sees and spec.draw(world, item, tool, argument)
        or spec.tell(world, item, tool, argument)
    end
  end

  -- The latest answer for an item stands.
  function viewing.answer(world, agent, item, value)
    local state <const> = work.progress(agent)
    if item > world.n then
      return parl.tok.word.miss
    elseif get_next(world, state, item) then
      return parl.tok.word.unseen
    end
    state.done[item], state.given[item] = true, list_of(value)
    state.worth[item] = spec.rate(world, item, value)
    return parl.tok.word.noted
  end

  function viewing.prompt(world)
    local tokens = {}
    for item = 1, world.n do ask(world, item, tokens) end
    return tokens
  end

  -- Items that are open; behind the first look those that were looked at; then what the spec says.
  function viewing.legal(world, agent, tool, slot, taken, given)
    local open, items = work.open(world, agent), {}
    if tool == "assign_task" then
      return parl.without(open, taken)
    elseif slot > 1 then
      return spec.legal and given[1] <= world.n and spec.legal(world, given[1], tool, taken) or nil
    end
    for _, item in ipairs(open) do
      local is_seen <const> = agent.state.seen[item] ~= nil
      if is_seen ~= (tool == "look") then items[#items + 1] = item end
    end
    return parl.without(items, taken)
  end

  function viewing.brief(world, sub, task, main)
    local mine, theirs, tokens = work.progress(sub), work.progress(main), {}
    mine.task = task
    for _, item in ipairs(task) do
      if item > world.n or theirs.done[item] then
        mine.done[item] = true
        tokens[#tokens + 1] = parl.tok[spec.item][item]
        tokens[#tokens + 1] = parl.tok.word[item > world.n and "miss" or "noted"]
      else
        ask(world, item, tokens)
      end
    end
    return tokens
  end

  -- The message: the answers.
  function viewing.deliver(_, main, sub)
    local mine, theirs, tokens = work.progress(main), work.progress(sub), {}
    for item, value in pairs(theirs.given) do
      mine.done[item], mine.worth[item] = true, theirs.worth[item]
      mine.given[item] = list_of(value)
      tell(item, value, tokens)
    end
    return tokens
  end

  -- The answers, and the questions that are open.
  function viewing.summarize(world, main)
    local state, tokens = work.progress(main), {}
    for item, value in pairs(state.given) do tell(item, value, tokens) end
    for _, item in ipairs(work.open(world, main)) do ask(world, item, tokens) end
    return tokens
  end

  -- The mean worth of the answers.
  function viewing.score(world, main)
    local sum = 0
    for _, worth in pairs(work.progress(main).worth) do sum = sum + worth end
    return math.min(1, sum / world.n), {
      success = sum / world.n >= 1 - 1e-9 and 1 or 0,
      answered = 1 - #work.open(world, main) / world.n,
    }
  end

  function viewing.turn(world, agent, style)
    local calls <const> = work.turn(world, agent, style)
    local item <const> = calls[1][1] == "look" and calls[1][2]
    if not item then return calls end
    local view <const> = get_next(world, agent.state, item)
    return {view and {view[1], item, view[2]} or {spec.answer, item, spec.truth(world, item)}}
  end

  -- Room to look at all alone, and some; for a sub-agent, to look at its share twice.
  function viewing.limits(params, n, views, tokens, values, width)
    if params.modality ~= "text" then
      local w, h, frames = spec.size(params)
      local shown <const> =
        (frames or 1) * (AROUND + (w + USUAL - 1) // USUAL * ((h + USUAL - 1) // USUAL))
      tokens = params.modality == "both" and math.max(tokens, shown) or shown
    end
    local each <const> = 8 + values + views * (4 + tokens)
    local share <const> = width and (n + width - 1) // width or 1
    return {
      context = 32 + n * each, sub_context = 24 + 3 * n + 2 * share * each,
      sub_steps = 2 * share * (views + 1), max_width = math.max(16, width or n), max_agents = 2,
      max_turns = 32 + 4 * n * (views + 1),
    }
  end

  function viewing.declare(declaration)
    local all <const> = {
      roles = {ROLE}, task = {args = {spec.item .. "+"}, max = MOST_TASK},
      styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
      prompt = viewing.prompt, legal = viewing.legal, brief = viewing.brief,
      deliver = viewing.deliver, summarize = viewing.summarize, score = viewing.score,
      optimum = viewing.optimum, expert = viewing.turn,
      family = function(world)
        local name <const> = spec.ability and spec.ability(world) or declaration.name
        return world.is_either and name .. (world.sees and "_image" or "_text") or name
      end,
      vision = function(params)
        local w, h, _, frames = spec.size(params)
        return params.modality ~= "text" and {width = w, height = h, frames = frames} or nil
      end,
    }
    declaration.params.modality = MODALITY
    for key, value in pairs(all) do
      if declaration[key] == nil then declaration[key] = value end
    end
    return declaration
  end

  return viewing
end
