-- batch_download: items of very different size over a line that carries few streams at once.
--
-- `fetch` downloads the next chunk of an item; an item of size s takes s fetches of one agent, and
-- a download that its agent leaves unfinished is lost. The workers of one launch share the line:
-- the first `streams` of them start at once; every further one is queued on the stream that is
-- free first (by the sizes of the tasks before it), and until then each of its fetches returns
-- `queued` and is a step all the same. So a launch is a list schedule on `streams` machines in the
-- order of assignment: what counts is who gets what, and more workers than streams gain nothing.
--
-- Optimum: P = least makespan of the sizes on m = min(streams, items) machines. The chunks that the
-- workers of one stream fetch in a launch are at most its longest worker's steps, since each waits
-- for the whole tasks of those before it; so a launch takes at least the makespan of what it
-- completes. Several launches, one after another, are one schedule with more launch steps. An item
-- the orchestrator fetches costs its size and shortens P by no more. Hence min(sum, 2 + P).
--
-- An agent's own progress is in agent.state: chunks[item].

local parl <const> = parl
local tok <const> = parl.tok

-- ---------------------------------------------------------------------------------- the world

-- Steps of one sub-agent: a fair share of the largest batch, and the largest item.
local function sub_steps(params)
  return params.items_max * params.size_max // (2 * params.streams_min) + params.size_max
end

-- Sizes are skewed: most items are small, a few are large.
local function reset(rng, params)
  if params.items_min > params.items_max then
    error("items_min exceeds items_max")
  elseif params.streams_min > params.streams_max then
    error("streams_min exceeds streams_max")
  end
  local world = {
    n = rng:int(params.items_min, params.items_max),
    streams = rng:int(params.streams_min, params.streams_max),
    size = {}, total = 0,
  }
  for item = 1, world.n do
    local u = rng:uniform()
    world.size[item] = 1 + math.floor((params.size_max - 1) * u * u * u + 0.5)
    world.total = world.total + world.size[item]
  end
  world.makespan, world.groups, world.is_exact = parl.makespan(world.size, world.streams)
  world.is_exact = world.is_exact and world.makespan <= sub_steps(params)
  return world
end

local function prompt(world)
  local tokens = {tok.stream[world.streams]}
  for item = 1, world.n do
    tokens[#tokens + 1] = tok.item[item]
    tokens[#tokens + 1] = tok.size[world.size[item]]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function is_done(world, state, item)
  return (state.chunks[item] or 0) == world.size[item]
end

local work <const> = parl.worklist {
  tool = "fetch",
  role = "worker",
  start = function(state)
    state.chunks, state.wait = {}, 0
  end,
  is_open = function(world, state, item)
    return not is_done(world, state, item)
  end,
  alone = function(world, style)
    return style == "oracle" and world.total <= 2 + world.makespan
  end,
  launch = function(world, style, items)
    return style == "oracle" and #items == world.n and parl.launch(world.groups) or nil
  end,
}

local function fetch(world, agent, item)
  local state = work.progress(agent)
  if item > world.n then
    return {tok.word.miss}
  elseif state.wait > 0 then
    state.wait = state.wait - 1
    return {tok.word.queued}
  elseif is_done(world, state, item) then
    return {tok.word.done}
  end
  state.chunks[item] = (state.chunks[item] or 0) + 1
  return {is_done(world, state, item) and tok.word.done or tok.word.part}
end

local function legal(world, agent, _, _, taken)
  return parl.without(work.open(world, agent), taken)
end

-- A worker takes the stream that is free first. line[k]: when stream k is free, of the present
-- launch; it is the orchestrator's, and `deliver` clears it.
local function join_line(world, sub, theirs)
  theirs.line = theirs.line or {}
  local line, first, nominal = theirs.line, 1, 0
  for k = 2, world.streams do
    if (line[k] or 0) < (line[first] or 0) then first = k end
  end
  for _, item in ipairs(work.open(world, sub)) do
    nominal = nominal + world.size[item]
  end
  sub.state.wait = line[first] or 0
  line[first] = sub.state.wait + nominal
end

local function brief(world, sub, task, main)
  local mine, theirs, tokens = work.progress(sub), work.progress(main), {}
  mine.task = task
  for _, item in ipairs(task) do
    tokens[#tokens + 1] = tok.item[item]
    if item > world.n then
      tokens[#tokens + 1] = tok.word.miss
    elseif is_done(world, theirs, item) then
      mine.chunks[item] = world.size[item]
      tokens[#tokens + 1] = tok.word.done
    else
      tokens[#tokens + 1] = tok.size[world.size[item]]
    end
  end
  join_line(world, sub, theirs)
  return tokens
end

-- The message: items of the task that are still open.
local function deliver(world, main, sub)
  local mine, theirs, tokens = work.progress(main), work.progress(sub), {}
  mine.line = nil
  for item = 1, world.n do
    if is_done(world, theirs, item) then
      mine.chunks[item] = world.size[item]
    end
  end
  for i, item in ipairs(work.open(world, sub)) do
    tokens[i] = tok.item[item]
  end
  return tokens
end

-- The share of the bytes that belong to complete items.
local function score(world, main)
  local state, complete, n_done = work.progress(main), 0, 0
  for item = 1, world.n do
    if is_done(world, state, item) then
      complete, n_done = complete + world.size[item], n_done + 1
    end
  end
  return complete / world.total, {success = n_done == world.n and 1 or 0, items = n_done / world.n}
end

local function optimum(world)
  local alone <const> = world.total <= 2 + world.makespan
  local is_exact <const> = alone or world.is_exact
  return {
    critical = alone and world.total or 2 + world.makespan, serial = world.total, r_perf = 1,
    is = is_exact and "exact" or "bound",
    width = alone and 0 or is_exact and #world.groups or nil,
  }
end

return parl.env {
  name = "batch_download",
  summary = "items of very different size over few streams: more workers than streams gain nothing",
  params = {
    items_min = {default = 4, min = 1, max = 16, doc = "least items of a batch"},
    items_max = {default = 10, min = 1, max = 16, doc = "most items of a batch"},
    size_max = {default = 8, min = 1, max = 16, doc = "chunks of the largest item"},
    streams_min = {default = 2, min = 1, max = 8, doc = "least streams the line carries"},
    streams_max = {default = 4, min = 1, max = 8, doc = "most streams the line carries"},
  },
  presets = {
    easy = {items_min = 3, items_max = 6, size_max = 4},
    hard = {items_min = 10, items_max = 16, size_max = 16, streams_min = 3, streams_max = 6},
  },
  roles = {"worker"},
  families = {item = 16, size = 16, stream = 8, word = {"miss", "part", "done", "queued"}},
  tools = {
    fetch = {args = {"item"}, doc = "download the next chunk of an item", run = fetch},
  },
  task = {args = {"item+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
  limits = function(params)
    return {
      context = 32 + params.items_max * (8 + 5 * params.size_max // 4),
      sub_context = 8 + 2 * params.items_max + 3 * sub_steps(params),
      sub_steps = sub_steps(params),
      max_width = 16,
      max_agents = 2,
      max_turns = 16 + 2 * params.items_max * params.size_max,
    }
  end,
  reset = reset,
  prompt = prompt,
  legal = legal,
  brief = brief,
  deliver = deliver,
  score = score,
  optimum = optimum,
  expert = work.turn,
  family = function() return "batch_download" end,
}
