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

local function progress(agent)
  local state = agent.state
  if not state.done then
    state.done, state.tries = 0, 0
  end
  return state
end

local function follow(world, agent, link)
  local state = progress(agent)
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

-- Links of the task, or of the chain, that are not followed.
local function open_links(world, agent)
  local state, open = progress(agent), {}
  if agent.main then
    return parl.range(state.done + 1, world.n)
  end
  for _, link in ipairs(state.task) do
    if link <= world.n and link > state.done then
      open[#open + 1] = link
    end
  end
  return open
end

-- The orchestrator can only follow the next link; it may give away any open one.
local function legal(world, agent, tool, _, taken)
  local done = progress(agent).done
  if agent.main and tool == "follow" then
    return parl.range(done + 1, math.min(done + 1, world.n))
  end
  return parl.without(open_links(world, agent), taken)
end

local function brief(world, sub, task, main)
  local mine, theirs = progress(sub), progress(main)
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
  local mine, theirs = progress(main), progress(sub)
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
  local done = progress(main).done
  return {done < world.n and tok.link[done + 1] or nil}
end

-- The share of the links that are followed.
local function score(world, main)
  local done = progress(main).done
  return done / world.n, {success = done == world.n and 1 or 0}
end

local function optimum(world)
  local steps = 0
  for link = 1, world.n do
    steps = steps + world.w[link]
  end
  return {critical = steps, serial = steps, r_perf = 1, is = "exact", width = 0}
end

-- ------------------------------------------------------------------------------ the experts

local function random_turn(world, agent, state)
  local rng, created = agent.rng, state.created or 0
  if created > 0 and rng:chance(0.4) then
    local first = rng:int(state.done + 1, world.n)
    return parl.launch(parl.split(parl.range(first, rng:int(first, world.n)), 1))
  elseif created < 2 and rng:chance(0.3) then
    state.created = created + 1
    return {{"create_subagent", state.created, "worker"}}
  elseif rng:chance(0.02) then
    return {{"finish"}}
  end
  return {{"follow", state.done + 1}}
end

local function expert(world, agent, style)
  local state, links = progress(agent), open_links(world, agent)
  if #links == 0 then
    return {{"finish"}}
  elseif not agent.main then
    return {{"follow", links[1]}} -- a locked link is waited for
  elseif style == "random" then
    return random_turn(world, agent, state)
  elseif style == "serial" or style == "oracle" then
    return {{"follow", state.done + 1}}
  elseif not state.created then
    state.created = 1
    return {{"create_subagent", 1, "worker"}}
  end
  return parl.launch(parl.split(links, 1), style == "narrow" and 2 or nil)
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
  expert = expert,
  family = function() return "chain" end,
}
