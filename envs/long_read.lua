-- long_read: a document longer than any one context. Its pages are full of pairs (topic, value);
-- the question is one topic, the answer all values that go with it.
--
-- `read` shows a whole page. Whoever reads alone fills its context with what it did not ask for,
-- and has to stop early or overflow; a sub-agent has a context of its own, holds a few pages, and
-- only the values of the topic come back: a map over shards, and `answer` is the reduce. r_perf is
-- the F1 of the answered values; a value counts only if its page was read by the orchestrator or
-- for it.
--
-- Optimum: every page holds a value of the topic, so all must be read. A launch that reads p pages
-- with each of W sub-agents costs 1 + p, p at most sub_pages, and reads at most W p pages; a page
-- that the orchestrator reads costs 1. The least over the number of pages it reads itself is
-- taken; where that is not none, its context may not hold them, and the number is a bound. serial
-- counts the steps of reading alone in a context that would hold the document.
--
-- Styles: serial reads what its context holds and answers (truncation), read_all goes on.
-- An agent's own progress is in agent.state: read[page]. It is its notes, which no context policy
-- touches: the scripts play from them, a model sees its context only.

local parl <const> = parl
local tok <const> = parl.tok

local WIDTH <const> = 16
local N_TOPICS <const>, N_VALUES <const> = 4, 64

-- ---------------------------------------------------------------------------------- the world

-- Tokens of an orchestrator: what a wide episode needs.
local function get_context(params)
  return 24 + (6 + 2 * params.facts_max) * params.pages_max
end

-- Pairs of a page; those of the topic are at random places.
local function new_page(rng, params, world, values)
  local topics, page_values, facts = {}, {}, {}
  for i = 1, params.pairs do
    topics[i] = rng:int(1, N_TOPICS - 1)
    topics[i] = topics[i] + (topics[i] >= world.topic and 1 or 0)
    page_values[i] = rng:int(1, N_VALUES)
  end
  local places = parl.range(1, params.pairs)
  rng:shuffle(places)
  for i = 1, rng:int(1, math.min(params.facts_max, params.pairs)) do
    world.n_facts = world.n_facts + 1
    topics[places[i]], page_values[places[i]] = world.topic, values[world.n_facts]
  end
  for i = 1, params.pairs do
    facts[#facts + 1] = topics[i] == world.topic and page_values[i] or nil
  end
  return topics, page_values, facts
end

local function reset(rng, params)
  if params.pages_min > params.pages_max then
    error("pages_min exceeds pages_max")
  elseif params.pages_max * params.facts_max > N_VALUES then
    error("pages_max * facts_max exceeds the number of values, " .. N_VALUES)
  end
  local world = {
    n = rng:int(params.pages_min, params.pages_max), topic = rng:int(1, N_TOPICS),
    topics = {}, values = {}, facts = {}, n_facts = 0, facts_max = params.facts_max,
    pairs = params.pairs, sub_pages = params.sub_pages,
    context = params.context > 0 and params.context or get_context(params),
  }
  local values = parl.range(1, N_VALUES)
  rng:shuffle(values)
  for page = 1, world.n do
    world.topics[page], world.values[page], world.facts[page] =
      new_page(rng, params, world, values)
  end
  return world
end

local function prompt(world)
  local tokens = {tok.topic[world.topic]}
  for page = 1, world.n do
    tokens[page + 1] = tok.page[page]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

-- Least critical steps, and how many pages the orchestrator reads itself.
local function plan(world)
  local best, alone = world.n, world.n
  for j = 0, world.n - 1 do
    local p = (world.n - j + WIDTH - 1) // WIDTH -- pages of one sub-agent, over all launches
    local cost = j + 1 + p + (p + world.sub_pages - 1) // world.sub_pages
    if cost < best then best, alone = cost, j end
  end
  return best + 1, alone
end

-- What an agent keeps. read: pages read by the agent or for it; seen: values that its context has
-- shown.
local work <const> = parl.worklist {
  tool = "read",
  role = "reader",
  width = WIDTH,
  start = function(state)
    state.read, state.seen, state.n_alone, state.f1 = {}, {}, 0, 0
  end,
  is_open = function(_, state, page)
    return not state.read[page]
  end,
  alone = function(world, style, state)
    local _, n_alone = plan(world)
    return style == "read_all" or (style == "oracle" and state.n_alone < n_alone)
  end,
  launch = function(world, style, pages)
    if style == "narrow" then
      return parl.launch(parl.split(pages, world.sub_pages), 2)
    elseif style == "oracle" then
      local share = (#pages + WIDTH - 1) // WIDTH
      return parl.launch(parl.split(pages, math.min(share, world.sub_pages)), WIDTH)
    end
  end,
  random_launch = function(world, agent, pages)
    agent.rng:shuffle(pages)
    local n = agent.rng:int(1, WIDTH)
    return parl.launch(parl.split(pages, agent.rng:int(1, world.sub_pages)), n)
  end,
  random_call = function(_, agent)
    return agent.rng:chance(0.05) and {"answer", {agent.rng:int(1, N_VALUES)}} or nil
  end,
}

local function read(world, agent, page)
  local state, tokens = work.progress(agent), {}
  if page > world.n then
    return {tok.word.miss}
  end
  state.read[page], state.n_alone = true, state.n_alone + 1
  for i = 1, world.pairs do
    tokens[2 * i - 1] = tok.topic[world.topics[page][i]]
    tokens[2 * i] = tok.value[world.values[page][i]]
    state.seen[world.values[page][i]] = true
  end
  return tokens
end

-- The values of the topic on pages that are read.
local function known_facts(world, state)
  local values = {}
  for page = 1, world.n do
    if state.read[page] then
      table.move(world.facts[page], 1, #world.facts[page], #values + 1, values)
    end
  end
  return values
end

local function answer(world, agent, values)
  local state, is_fact, is_given, n_right, n_given = work.progress(agent), {}, {}, 0, 0
  if not agent.main then
    return {tok.word.miss}
  end
  for _, value in ipairs(known_facts(world, state)) do
    is_fact[value] = true
  end
  for _, value in ipairs(values) do
    if not is_given[value] then
      is_given[value], n_given = true, n_given + 1
      n_right = n_right + (is_fact[value] and 1 or 0)
    end
  end
  state.f1 = 2 * n_right / (n_given + world.n_facts)
  return {tok.word.noted}
end

local function seen_values(state)
  local values = {}
  for v = 1, N_VALUES do
    if state.seen[v] then
      values[#values + 1] = v
    end
  end
  return values
end

-- Pages that are not read, values that were seen.
local function legal(world, agent, tool, _, taken)
  if tool ~= "answer" then
    return parl.without(work.open(world, agent), taken)
  end
  return agent.main and parl.without(seen_values(work.progress(agent)), taken) or {}
end

local function brief(world, sub, task)
  local state, tokens = work.progress(sub), {tok.topic[world.topic]}
  state.task = task
  for _, page in ipairs(task) do
    tokens[#tokens + 1] = tok.page[page]
    if page > world.n then
      tokens[#tokens + 1] = tok.word.miss
    end
  end
  return tokens
end

-- The message: the topic's values on the pages it read, and the pages it did not.
local function deliver(world, main, sub)
  local mine, theirs, tokens = work.progress(main), work.progress(sub), {}
  for page = 1, world.n do
    if theirs.read[page] then
      mine.read[page] = true
      for _, value in ipairs(world.facts[page]) do
        mine.seen[value] = true
        tokens[#tokens + 1] = tok.value[value]
      end
    end
  end
  for _, page in ipairs(work.open(world, sub)) do
    tokens[#tokens + 1] = tok.page[page]
  end
  return tokens
end

-- The same of the orchestrator itself.
local function summarize(world, main)
  local tokens = {}
  for i, value in ipairs(known_facts(world, work.progress(main))) do
    tokens[i] = tok.value[value]
  end
  for _, page in ipairs(work.open(world, main)) do
    tokens[#tokens + 1] = tok.page[page]
  end
  return tokens
end

local function score(world, main)
  local state = work.progress(main)
  return state.f1, {
    success = state.f1 == 1 and 1 or 0,
    pages = 1 - #work.open(world, main) / world.n,
  }
end

-- Whether the context holds one more page, and the answer after it.
local function has_room(world, state)
  local read_tokens = (state.n_alone + 1) * (2 + 2 * world.pairs)
  local n_facts = #known_facts(world, state) + world.facts_max
  return 2 + world.n + read_tokens + n_facts + 4 <= world.context
end

local function optimum(world)
  local critical, alone = plan(world)
  local all = 2 + world.n + alone * (2 + 2 * world.pairs) + 2 * world.n_facts + 4
  local is_bound <const> = alone > 0 and (alone < world.n or all > world.context)
  local shared <const> = world.n - alone -- pages that sub-agents read
  local n_each <const> = math.max(1, math.min((shared + WIDTH - 1) // WIDTH, world.sub_pages))
  return {
    critical = critical, serial = world.n + 1, r_perf = 1,
    is = is_bound and "bound" or "exact",
    width = not is_bound and math.min(WIDTH, (shared + n_each - 1) // n_each) or nil,
  }
end

-- ------------------------------------------------------------------------------ the experts

local function expert(world, agent, style)
  local state, pages = work.progress(agent), work.open(world, agent)
  local is_over = #pages == 0 or (style == "serial" and not has_room(world, state))
  if not agent.main or not is_over then
    return work.turn(world, agent, style, pages)
  end
  local values = state.answered and {} or known_facts(world, state)
  state.answered = true
  return {#values > 0 and {"answer", values} or {"finish"}}
end

return parl.env {
  name = "long_read",
  summary = "a document longer than any one context: read in shards, answer from what comes back",
  params = {
    pages_min = {default = 8, min = 1, max = 32, doc = "least pages of a document"},
    pages_max = {default = 12, min = 1, max = 32, doc = "most pages of a document"},
    pairs = {default = 8, min = 1, max = 32, doc = "pairs (topic, value) on a page; 2 tokens each"},
    facts_max = {default = 1, min = 1, max = 4, doc = "most values of the topic on a page"},
    sub_pages = {default = 3, min = 1, max = 8, doc = "pages a sub-agent's context holds"},
    context = {default = 0, min = 0, max = 4096,
               doc = "tokens an orchestrator's context holds; 0: what a wide episode needs"},
  },
  presets = {
    fits = {context = 600}, -- the document fits: reading alone works, and takes longer
    easy = {pages_min = 4, pages_max = 6, pairs = 8},
    hard = {pages_min = 16, pages_max = 24, facts_max = 2, pairs = 12},
  },
  roles = {"reader"},
  families = {page = 32, topic = N_TOPICS, value = N_VALUES, word = {"miss", "noted"}},
  tools = {
    read = {args = {"page"}, doc = "read a page", run = read},
    answer = {args = {"value+"}, max = 64, doc = "give the topic's values", run = answer},
  },
  task = {args = {"page+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random", "read_all"},
  limits = function(params)
    return {
      context = params.context > 0 and params.context or get_context(params),
      sub_context = 8 + params.pages_max + params.sub_pages * (2 + 2 * params.pairs),
      sub_steps = params.sub_pages,
      max_width = WIDTH,
      max_agents = 2,
      max_turns = 16 + 2 * params.pages_max,
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
  family = function() return "long_read" end,
}
