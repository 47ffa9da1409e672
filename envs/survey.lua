-- survey: documentation, repositories, articles and talks are read for one report.
--
-- The question is topics. A source that was read to its end makes claims (topic, value) on one or
-- two of them; which is hidden. Sources overlap and contradict each other: documentation and
-- repositories are right, articles and talks may be wrong. A topic is settled once all that speak
-- of it were read. `report` gives a value for each topic. r_perf is 0.4 times the share of the
-- sources read, those that say nothing new included, and 0.6 times the F1 of the report: a value
-- counts if it is right and its topic settled. Where only articles and talks speak of a topic
-- (p_open) none is right, and the best r_perf is below 1.
--
-- A reader reads documentation and articles, an engineer repositories, a listener talks; others
-- need `slow` times the steps. Of a launch at most `rate` sub-agents are served at once (0: all).
--
-- Optimum: parl.project's, and the report: exact, a bound only if a makespan's search is cut off.

local parl <const> = parl
local tok <const> = parl.tok

local KINDS <const> = {"documentation", "repository", "article", "talk"}
local SUITS <const> = {1, 2, 1, 3} -- role of each kind; the first two kinds are right
local N_VALUES <const>, MAX_TOPICS <const> = 32, 8

local settled_values

local project <const> = parl.project {
  roles = {"reader", "engineer", "listener"},
  stages = {"read"},
  item = "source",
  start = function(state)
    state.seen = {} -- values that were claimed
  end,
  answer = function(world, state)
    return {"report", settled_values(world, state)}
  end,
  -- The kind of the source and its claims.
  tell = function(world, state, source)
    local tokens = {tok.kind[world.kind[source]]}
    for i, topic in ipairs(world.topics[source]) do
      local value = world.values[source][i]
      tokens[2 * i], tokens[2 * i + 1] = tok.topic[topic], tok.value[value]
      state.seen[value] = true
    end
    return tokens
  end,
}

-- ---------------------------------------------------------------------------------- the world

-- The i-th source speaks of topic i, beyond the topics of any; some of the next topic as well.
local function add_source(rng, params, world, values, i, source)
  local first <const> = i <= world.n_topics and i or rng:int(1, world.n_topics)
  local next_one <const> = first % world.n_topics + 1
  local is_right <const> = world.right[first] and (i <= world.n_topics or rng:chance(0.5))
  world.kind[source], world.topics[source] = (is_right and 0 or 2) + rng:int(1, 2), {first}
  if rng:chance(0.5) and next_one ~= first and (world.right[next_one] or not is_right) then
    world.topics[source][2] = next_one
  end
  world.values[source] = {}
  for k, topic in ipairs(world.topics[source]) do
    local is_wrong = not world.right[topic] or (not is_right and rng:chance(params.p_wrong))
    world.values[source][k] = values[is_wrong and rng:int(MAX_TOPICS + 1, N_VALUES) or topic]
  end
  world.effort[source] = project.draw(rng, params.pages_max, params.p_fail)
  world.suits[source] = SUITS[world.kind[source]]
end

local function reset(rng, params)
  if params.sources_min > params.sources_max then
    error("sources_min exceeds sources_max")
  end
  local n <const> = rng:int(params.sources_min, params.sources_max)
  local most <const> = math.min(params.topics_max, n)
  local world = {
    n = n, n_topics = rng:int(math.min(2, most), most), n_right = 0,
    slow = params.slow, rate = params.rate > 0 and params.rate or nil, text = params.text,
    kind = {}, topics = {}, values = {}, effort = {}, suits = {}, right = {},
  }
  local values <const> = rng:shuffle(parl.range(1, N_VALUES))
  for topic = 1, world.n_topics do
    world.right[topic] = (topic == 1 or not rng:chance(params.p_open)) and values[topic]
    world.n_right = world.n_right + (world.right[topic] and 1 or 0)
  end
  for i, source in ipairs(rng:shuffle(parl.range(1, n))) do
    add_source(rng, params, world, values, i, source)
  end
  world.f1 = 2 * world.n_right / (world.n_right + world.n_topics)
  project.plan(world)
  return world
end

local function prompt(world)
  local tokens = table.move(tok.topic, 1, world.n_topics, 1, {})
  for source = 1, world.n do
    tokens[#tokens + 1] = tok.kind[world.kind[source]]
    tokens[#tokens + 1] = tok.source[source]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function read(world, agent, source)
  local outcome = project.work(world, agent, source)
  if outcome ~= "new" and outcome ~= "part" then
    return tok.word[outcome]
  end
  local tokens = {tok.word[outcome]}
  for i = 1, world.text do -- what nobody asked for
    tokens[i + 1] = tok.text[(source + i) % 8 + 1]
  end
  return outcome == "part" and tokens or project.tell(world, agent, source, tokens)
end

-- What is right of the topics that are settled.
function settled_values(world, state)
  local is_unread, values = {}, {}
  for source = 1, world.n do
    for _, topic in ipairs(state.done[source] and {} or world.topics[source]) do
      is_unread[topic] = true
    end
  end
  for topic = 1, world.n_topics do
    if world.right[topic] and not is_unread[topic] then
      values[#values + 1] = world.right[topic]
    end
  end
  return values
end

local function report(world, agent, values)
  local state <const> = project.progress(agent)
  if not agent.main then
    return tok.word.miss
  end
  local settled <const> = settled_values(world, state)
  local n_right <const> = #settled - #parl.without(settled, values)
  state.f1 = 2 * n_right / (#values + world.n_topics)
  return tok.word.noted
end

local function legal(world, agent, tool, slot, taken, given)
  if tool ~= "report" then
    return project.legal(world, agent, tool, slot, taken, given)
  end
  local seen, values = project.progress(agent).seen, {}
  for value = 1, agent.main and N_VALUES or 0 do
    if seen[value] then values[#values + 1] = value end
  end
  return parl.without(values, taken)
end

return parl.env(project.declare {
  name = "survey",
  summary = "read sources that overlap and contradict each other, for one report",
  params = {
    sources_min = {default = 4, min = 1, max = 100, doc = "least sources"},
    sources_max = {default = 7, min = 1, max = 100, doc = "most sources"},
    topics_max = {default = 4, min = 1, max = MAX_TOPICS, doc = "most topics of the question"},
    pages_max = {default = 3, min = 1, max = 16, doc = "most pages of a source"},
    p_wrong = {default = 0.5, min = 0.0, max = 1.0, doc = "chance that an article is wrong"},
    p_open = {default = 0.0, min = 0.0, max = 1.0, doc = "chance that a topic has no right source"},
    rate = {default = 0, min = 0, max = 16, doc = "sub-agents served at once; 0: all"},
    text = {default = 0, min = 0, max = 32, doc = "tokens on a page that nobody asked for"},
  },
  presets = {
    easy = {sources_min = 3, sources_max = 5, topics_max = 2, pages_max = 2, p_fail = 0.0},
    hard = {sources_min = 10, sources_max = 16, topics_max = 8, pages_max = 8, p_open = 0.3},
    limited = {sources_min = 6, sources_max = 10, rate = 3},
    long = {sources_min = 10, sources_max = 16, text = 12}, -- alone, the context overflows
    swarm = {sources_min = 80, sources_max = 100, topics_max = 8, pages_max = 10, p_fail = 0.3},
  },
  -- Many sources have a larger vocabulary: other models than the usual one.
  families = function(params)
    return {
      source = params.sources_max > 16 and 100 or 16, kind = KINDS, topic = MAX_TOPICS,
      value = N_VALUES, text = 8, word = {"miss", "part", "done", "new", "queued", "noted"},
    }
  end,
  tools = {
    read = {args = {"source"}, doc = "read the next page of a source", run = read},
    report = {args = {"value+"}, max = 32, doc = "give a value for each topic", run = report},
  },
  limits = function(params)
    local n <const> = params.sources_max
    local most <const> = params.slow * (params.pages_max + 2)
    local alone <const> = params.text > 0 and 0 or 2 * params.slow * params.pages_max
    local steps <const> = params.rate > 0 and most * (n // params.rate + 1) or 2 * most
    return {
      context = 40 + n * (12 + alone), sub_context = 40 + n + (4 + params.text) * steps,
      sub_steps = steps, max_width = math.max(16, n), max_agents = 3, max_turns = 32 + 2 * n * most,
    }
  end,
  reset = reset, prompt = prompt, legal = legal,
})
