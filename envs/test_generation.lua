-- test_generation: normal, boundary, error and performance cases of a described function.
--
-- The description is the function's arguments and their types. For each argument and kind of case
-- there may be something to test: `normal`, `boundary`, `error` and `performance` write a case in
-- some steps and say which behaviour it shows, or `none`: there is nothing of that kind, which has
-- to be ruled out as well. Many cases show a behaviour that another one shows, too: duplicates are
-- worthless. `submit` gives the cases of the suite; r_perf is 0.4 times the share of the kinds that
-- are settled, and 0.6 times the F1 of the suite: behaviours that it shows against its cases, and
-- against all behaviours there are. Some of these no case shows (p_hidden): then the best r_perf is
-- below 1.
--
-- An analyst writes normal and boundary cases, a breaker errors, a profiler performance, whose
-- tools are slow (`wait` more steps); whoever does another's work, the orchestrator included, needs
-- `slow` times the steps. `assign_task` gives a kind of case and arguments.
--
-- Optimum: parl.project's, and the suite: exact. All has to be looked at, so luck shortens nothing.

local parl <const> = parl
local tok <const> = parl.tok

local KINDS <const> = {"normal", "boundary", "error", "performance"}
local SUITS <const> = {1, 1, 2, 3} -- role of each kind
local TYPES <const> = {"int", "float", "text", "list", "date", "file", "url", "flag"}
local MAX_ARGUMENTS <const>, N_BEHAVIOURS <const> = 25, 64 -- 100 cases

local list_cases

local project <const> = parl.project {
  roles = {"analyst", "breaker", "profiler"},
  stages = KINDS,
  item = "argument",
  answer = function(world, state)
    return {"submit", list_cases(world, state, true)}
  end,
  -- The case and what it shows.
  tell = function(world, _, job)
    local shown = world.shown[job]
    return {tok.case[job], shown > 0 and tok.behaviour[shown] or tok.word.none}
  end,
}

-- ---------------------------------------------------------------------------------- the world

-- What each case shows: nothing, what another one shows, or something new.
local function add_cases(rng, params, world)
  for job = 1, world.n do
    local u, kind = rng:uniform(), (job - 1) % #KINDS + 1
    world.shown[job] = 0
    if world.n_shown == 0 or u >= params.p_none + params.p_same then
      world.n_shown = math.min(world.n_shown + 1, N_BEHAVIOURS)
      world.shown[job] = world.n_shown
    elseif u >= params.p_none then
      world.shown[job] = rng:int(1, world.n_shown)
    end
    world.effort[job] = project.draw(rng, params.effort_max, params.p_fail)
      + (KINDS[kind] == "performance" and params.wait or 0)
    world.suits[job] = SUITS[kind]
  end
  local names <const> = rng:shuffle(parl.range(1, N_BEHAVIOURS))
  for job = 1, world.n do
    world.shown[job] = names[world.shown[job]] or 0
  end
end

local function reset(rng, params)
  if params.arguments_min > params.arguments_max then
    error("arguments_min exceeds arguments_max")
  end
  local arguments <const> = rng:int(params.arguments_min, params.arguments_max)
  local world = {n = #KINDS * arguments, slow = params.slow, type = {}, shown = {}, n_shown = 0,
                 n_hidden = 0, effort = {}, suits = {}}
  for argument = 1, arguments + 1 do -- the last type is that of the result
    world.type[argument] = rng:int(1, #TYPES)
  end
  add_cases(rng, params, world)
  for _ = 1, arguments do
    world.n_hidden = world.n_hidden + (rng:chance(params.p_hidden) and 1 or 0)
  end
  world.f1 = 2 * world.n_shown / (2 * world.n_shown + world.n_hidden)
  project.plan(world)
  return world
end

local function prompt(world)
  local tokens = {}
  for argument = 1, world.n // #KINDS do
    tokens[2 * argument - 1] = tok.argument[argument]
    tokens[2 * argument] = tok.type[world.type[argument]]
  end
  tokens[#tokens + 1] = tok.word.result
  tokens[#tokens + 1] = tok.type[world.type[#world.type]]
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

-- The tool of a kind.
local function new_tool(stage)
  return {
    args = {"argument"}, doc = "a step of writing a case of kind " .. KINDS[stage],
    run = function(world, agent, argument)
      local job <const> = project.job(argument, stage)
      local outcome <const> = project.work(world, agent, job)
      return outcome == "new" and project.tell(world, agent, job, {}) or tok.word[outcome]
    end,
  }
end

local function submit(world, agent, cases)
  local state, is_shown, n_right = project.progress(agent), {}, 0
  if not agent.main then
    return tok.word.miss
  end
  for _, job in ipairs(cases) do
    local shown = state.done[job] and world.shown[job] or 0
    if shown > 0 and not is_shown[shown] then
      is_shown[shown], n_right = true, n_right + 1
    end
  end
  state.f1 = 2 * n_right / (#cases + world.n_shown + world.n_hidden)
  return tok.word.noted
end

-- The cases that show something: all, or the first of each behaviour.
function list_cases(world, state, is_first)
  local cases, is_shown = {}, {}
  for _, job in ipairs(state.news) do
    local shown = world.shown[job]
    if shown > 0 and not (is_first and is_shown[shown]) then
      cases[#cases + 1], is_shown[shown] = job, true
    end
  end
  return cases
end

local function legal(world, agent, tool, slot, taken, given)
  if tool == "submit" then
    return agent.main and parl.without(list_cases(world, project.progress(agent)), taken) or {}
  end
  return project.legal(world, agent, tool, slot, taken, given)
end

return parl.env(project.declare {
  name = "test_generation",
  summary = "cases of four kinds for a described function; duplicates are worthless",
  params = {
    arguments_min = {default = 1, min = 1, max = MAX_ARGUMENTS, doc = "least arguments"},
    arguments_max = {default = 3, min = 1, max = MAX_ARGUMENTS, doc = "most arguments"},
    p_none = {default = 0.2, min = 0.0, max = 1.0, doc = "chance that there is nothing to test"},
    p_same = {default = 0.3, min = 0.0, max = 1.0, doc = "chance that a case is a duplicate"},
    p_hidden = {default = 0.0, min = 0.0, max = 1.0,
                doc = "chance, for each argument, of a behaviour that no case shows"},
    effort_max = {default = 2, min = 1, max = 8, doc = "most steps of a case"},
    wait = {default = 2, min = 0, max = 16, doc = "steps that a performance case takes beside"},
  },
  presets = {
    easy = {arguments_max = 2, effort_max = 1, p_fail = 0.0, wait = 0},
    hard = {arguments_min = 4, arguments_max = 8, effort_max = 4, wait = 6, p_hidden = 0.3},
    swarm = {arguments_min = 16, arguments_max = 25, effort_max = 8, wait = 8, p_fail = 0.3},
  },
  families = function(params)
    return {
      argument = 32, type = TYPES, stage = KINDS, behaviour = N_BEHAVIOURS,
      case = params.arguments_max > 8 and 100 or 32,
      word = {"miss", "part", "done", "new", "none", "noted", "result"},
    }
  end,
  tools = {
    normal = new_tool(1), boundary = new_tool(2), error = new_tool(3), performance = new_tool(4),
    submit = {args = {"case+"}, max = 100, doc = "give the cases of the suite", run = submit},
  },
  limits = function(params)
    local most <const> = params.slow * (params.effort_max + 2 + params.wait)
    local alone <const> = params.slow * (4 * params.effort_max + params.wait) * params.arguments_max
    return {
      context = 40 + 20 * params.arguments_max + 2 * alone,
      sub_context = 24 + 3 * params.arguments_max + 6 * most, sub_steps = 2 * most,
      max_width = math.max(16, 4 * params.arguments_max), max_agents = 3,
      max_turns = 32 + 8 * params.arguments_max * most,
    }
  end,
  reset = reset, prompt = prompt, legal = legal,
})
