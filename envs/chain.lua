-- chain: one link after another. Link i can be followed only by somebody who has, or was told of,
-- link i - 1; so there is nothing to do side by side, and every launch is paid for in vain.
--
-- To follow a link takes a number of tries that the world has fixed; the last one succeeds. Sub-
-- agents exist and can be launched: one whose link is locked waits until its steps are used up.
--
-- Optimum: w(i) tries of link i. Whoever knows link i has made those tries after knowing link i -
-- 1, or was told by somebody who did; by induction no agent knows link n before sum w(i) critical
-- steps, and the orchestrator alone needs exactly as many.
--
-- An agent's own progress is in agent.state: done links, tries of the next one.

local parl <const> = parl
local tok <const> = parl.tok

local MAX_FAILURES <const> = 3 -- tries of a link that fail, at most
local SUB_STEPS <const> = 8

-- ---------------------------------------------------------------------------------- the world

local function reset(rng, params)
  if params.links_min > params.links_max then
    error("links_min exceeds links_max")
  end
  local world = {n = rng:int(params.links_min, params.links_max), w = {}}
  for link = 1, world.n do
    world.w[link] = 1
    while world.w[link] <= MAX_FAILURES and rng:chance(params.p_fail) do
      world.w[link] = world.w[link] + 1
    end
  end
  return world
end

local function prompt(world)
  local tokens = {}
  for link = 1, world.n do
    tokens[link] = tok.link[link]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local work <const> = parl.worklist {
  tool = "follow",
  role = "worker",
  start = function(state)
    state.done, state.tries = 0, 0
  end,
  is_open = function(_, state, link)
    return link > state.done
  end,
  alone = function(_, style)
    return style == "oracle"
  end,
  in_order = true, -- a locked link is waited for
  launch_chance = 0.4,
  random_launch = function(world, agent, links)
    local rng = agent.rng
    local first = rng:int(links[1], world.n)
    return parl.launch(parl.split(parl.range(first, rng:int(first, world.n)), 1))
  end,
}

local function follow(world, agent, link)
  local state = work.progress(agent)
  if link > world.n then
    return {tok.word.miss}
  elseif link <= state.done then
    return {tok.word.done}
  elseif link > state.done + 1 then
    return {tok.word.locked}
  end
  state.tries = state.tries + 1
  if state.tries < world.w[link] then
    return {tok.word.miss}
  end
  state.done, state.tries = link, 0
  return {tok.word.done}
end

-- The orchestrator can only follow the next link; it may give away any open one.
local function legal(world, agent, tool, _, taken)
  local done = work.progress(agent).done
  if agent.main and tool == "follow" then
    return parl.range(done + 1, math.min(done + 1, world.n))
  end
  return parl.without(work.open(world, agent), taken)
end

local function brief(world, sub, task, main)
  local mine, theirs = work.progress(sub), work.progress(main)
  local tokens = {}
  mine.done, mine.task = theirs.done, task
  for _, link in ipairs(task) do
    tokens[#tokens + 1] = tok.link[link]
    if link > world.n then
      tokens[#tokens + 1] = tok.word.miss
    elseif link <= mine.done then
      tokens[#tokens + 1] = tok.word.done
    else
      tokens[#tokens + 1] = link == mine.done + 1 and tok.word.open or tok.word.locked
    end
  end
  return tokens
end

-- The message: the first link of the task that is still open, if there is one.
local function deliver(world, main, sub)
  local mine, theirs = work.progress(main), work.progress(sub)
  if theirs.done > mine.done then
    mine.done, mine.tries = theirs.done, 0
  end
  for _, link in ipairs(theirs.task) do
    if link <= world.n and link > mine.done then
      return {tok.link[link]}
    end
  end
  return {}
end

-- The link that comes next, if there is one.
local function summarize(world, main)
  local done = work.progress(main).done
  return {done < world.n and tok.link[done + 1] or nil}
end

-- The share of the links that are followed.
local function score(world, main)
  local done = work.progress(main).done
  return done / world.n, {success = done == world.n and 1 or 0}
end

local function optimum(world)
  local steps = 0
  for link = 1, world.n do
    steps = steps + world.w[link]
  end
  return {critical = steps, serial = steps, r_perf = 1, is = "exact", width = 0}
end

return parl.env {
  name = "chain",
  summary = "links that must be followed one after another: launching cannot help, and costs",
  params = {
    links_min = {default = 3, min = 1, max = 16, doc = "least links of a chain"},
    links_max = {default = 8, min = 1, max = 16, doc = "most links of a chain"},
    p_fail = {default = 0.2, min = 0.0, max = 0.9, doc = "chance that a try of a link fails"},
  },
  presets = {
    easy = {links_min = 2, links_max = 4, p_fail = 0.1},
    hard = {links_min = 8, links_max = 16, p_fail = 0.4},
  },
  roles = {"worker"},
  families = {link = 16, word = {"miss", "done", "locked", "open"}},
  tools = {
    follow = {args = {"link"}, doc = "try to follow a link, once", run = follow},
  },
  task = {args = {"link+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
  limits = function(params)
    return {
      context = 32 + 18 * params.links_max,
      sub_context = 8 + 2 * params.links_max + 4 * SUB_STEPS,
      sub_steps = SUB_STEPS,
      max_width = 16,
      max_agents = 2,
      max_turns = 16 + (MAX_FAILURES + 1) * params.links_max,
    }
  end,
  reset = reset,
  prompt = prompt,
  legal = legal,
  brief = brief,
  deliver = deliver,
  summarize = summarize,
  score = score,
  optimum = optimum,
  expert = work.turn,
  family = function() return "chain" end,
}
