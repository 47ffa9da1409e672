-- code_assistant: documents and examples are searched, code is written, tests are written and run.
--
-- A project has parts, a part three stages. `search` looks through sources: examples, of libraries
-- that do not fit, at last the document that names the one that does, or `own`: every library is
-- ruled out. `write` takes the library; a wrong one is a step for nothing. A part that comes
-- `after` others needs their code first. `test` writes tests and runs them until they pass.
--
-- A researcher searches, an engineer writes, a tester tests; whoever does another's work, the
-- orchestrator included, needs `slow` times the steps. How many a stage takes and which library
-- fits is fixed by the world and hidden. `assign_task` gives a stage and parts: the sub-agent does
-- what these still need, too. r_perf is the share of the stages done.
--
-- Optimum: parl.project's, exact unless its search is cut off.

local parl <const> = parl
local tok <const> = parl.tok

local SEARCH <const>, WRITE <const> = 1, 2
local STAGES <const> = {"search", "write", "test"}
local OWN <const> = 1
local LIBRARIES <const> = {
  "own", "http", "json", "regex", "sql", "zip", "csv", "xml", "tls", "mail",
}
local SUBJECTS <const> = {"fetch", "parse", "match", "store", "pack", "print", "check", "send"}

local project <const> = parl.project {
  roles = {"researcher", "engineer", "tester"},
  stages = STAGES,
  item = "part",
  start = function(state)
    state.seen = {} -- libraries that were named
  end,
  -- Stage and part, and of a search the library that fits.
  tell = function(world, state, job)
    local part, stage = (job + 2) // 3, (job - 1) % 3 + 1
    local library = stage == SEARCH and world.library[part]
    if library then state.seen[library] = true end
    return {tok.stage[stage], tok.part[part], library and tok.library[library] or nil}
  end,
  argument = function(world, job)
    local part, stage = (job + 2) // 3, (job - 1) % 3 + 1
    return stage == WRITE and world.library[part] or nil
  end,
}

-- ---------------------------------------------------------------------------------- the world

local function add_part(rng, params, world, part)
  local size <const> = rng:int(1, params.size_max)
  world.size[part], world.after[part] = size, {}
  world.subject[part] = rng:int(1, #SUBJECTS) -- names a library that fits half of the time
  world.library[part] = rng:chance(params.p_none) and OWN
    or rng:chance(0.5) and world.subject[part] + 1 or rng:int(2, #LIBRARIES)
  for stage, most in ipairs {params.search_max, size, params.size_max} do
    local job <const> = project.job(part, stage)
    world.effort[job], world.suits[job] = project.draw(rng, most, params.p_fail), stage
    world.needs[job] = stage > 1 and {job - 1} or {}
  end
  for other = 1, part - 1 do
    if #world.after[part] < 2 and rng:chance(params.p_after) then
      table.insert(world.after[part], other)
      table.insert(world.needs[project.job(part, WRITE)], project.job(other, WRITE))
    end
  end
  local wrong <const> = rng:int(1, #LIBRARIES - 1)
  world.example[part] = wrong + (wrong >= world.library[part] and 1 or 0)
end

local function reset(rng, params)
  if params.parts_min > params.parts_max then
    error("parts_min exceeds parts_max")
  end
  local parts <const> = rng:int(params.parts_min, params.parts_max)
  local world = {parts = parts, n = 3 * parts, slow = params.slow, effort = {}, suits = {},
                 needs = {}, size = {}, subject = {}, after = {}, library = {}, example = {}}
  for part = 1, parts do
    add_part(rng, params, world, part)
  end
  project.plan(world)
  return world
end

-- Each part, what it does, how much code it is, and what it comes after.
local function prompt(world)
  local tokens = {}
  for part = 1, world.parts do
    tokens[#tokens + 1] = tok.part[part]
    tokens[#tokens + 1] = tok.subject[world.subject[part]]
    tokens[#tokens + 1] = tok.size[world.size[part]]
    for i, other in ipairs(world.after[part]) do
      if i == 1 then tokens[#tokens + 1] = tok.word.after end
      tokens[#tokens + 1] = tok.part[other]
    end
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function search(world, agent, part)
  local job <const> = project.job(part, SEARCH)
  local outcome, state = project.work(world, agent, job), project.progress(agent)
  local library = world.library[part]
  if outcome == "part" then
    library = world.example[part]
  elseif outcome ~= "new" then
    return tok.word[outcome]
  end
  state.seen[library] = true
  return tok.word[outcome == "new" and "document" or "example"], tok.library[library]
end

local function write(world, agent, part, library)
  local job <const> = project.job(part, WRITE)
  if part <= world.parts and library ~= world.library[part]
    and project.is_ready(world, project.progress(agent), job) then
    return tok.word.wrong
  end
  return tok.word[project.work(world, agent, job)]
end

local function test(world, agent, part)
  return tok.word[project.work(world, agent, project.job(part, 3))]
end

-- A library is one that was seen.
local function legal(world, agent, tool, slot, taken, given)
  if tool ~= "write" or slot == 1 then
    return project.legal(world, agent, tool, slot, taken, given)
  end
  local seen, libraries = project.progress(agent).seen, {}
  for library = 1, #LIBRARIES do
    if seen[library] then libraries[#libraries + 1] = library end
  end
  return libraries
end

return parl.env(project.declare {
  name = "code_assistant",
  summary = "search documents and examples, write code, write and run tests; some parts depend",
  params = {
    parts_min = {default = 2, min = 1, max = 16, doc = "least parts of a project"},
    parts_max = {default = 3, min = 1, max = 16, doc = "most parts of a project"},
    p_after = {default = 0.3, min = 0.0, max = 1.0, doc = "chance that a part needs another"},
    p_none = {default = 0.2, min = 0.0, max = 1.0, doc = "chance that no library fits"},
    search_max = {default = 3, min = 1, max = 8, doc = "most sources that a search looks through"},
    size_max = {default = 2, min = 1, max = 8, doc = "most steps of code, and of tests"},
  },
  presets = {
    easy = {parts_max = 2, p_after = 0.0, search_max = 2, size_max = 1, p_fail = 0.0},
    hard = {parts_min = 4, parts_max = 5, search_max = 6, size_max = 4, p_fail = 0.3},
    long = {parts_min = 12, parts_max = 16, search_max = 4, size_max = 3, p_fail = 0.4},
  },
  families = {
    part = 16, size = 8, subject = SUBJECTS, stage = STAGES, library = LIBRARIES,
    word = {"miss", "part", "done", "new", "blocked", "example", "document", "wrong", "after"},
  },
  tools = {
    search = {args = {"part"}, doc = "look into a source for a part's library", run = search},
    write = {args = {"part", "library"}, doc = "a step of writing a part's code", run = write},
    test = {args = {"part"}, doc = "a step of writing and running a part's tests", run = test},
  },
  limits = function(params)
    local part <const> = params.slow * (params.search_max + 2 * params.size_max)
    local most <const> = part + params.slow * 3 * 2
    return {
      context = 25 + params.parts_max * (9 + 4 * part),
      sub_context = 16 + params.parts_max * 10 + 15 * most,
      sub_steps = 3 * most, -- a part and two that it needs
      max_width = 16,
      max_agents = 3,
      max_turns = 32 + 2 * params.parts_max * most,
    }
  end,
  reset = reset,
  prompt = prompt,
  legal = legal,
})
