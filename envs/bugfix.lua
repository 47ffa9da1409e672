-- bugfix: a log names suspects; each is cleared or confirmed, what is confirmed is patched and the
-- patch verified.
--
-- `inspect` ends with `cleared` or `confirmed`; how many suspects are at fault nobody knows before
-- all have been looked at, though one that the log names often is so more often. `patch` is a
-- wrong one, and stays that, where the suspect was not confirmed to the agent that makes it:
-- r_perf is the share of what has to be settled, 0.1 less for each. A suspect that is cleared needs
-- no patch and no verification: these are settled with it.
--
-- A debugger inspects crashes, a profiler what is slow, an engineer patches and verifies; whoever
-- does another's work, the orchestrator included, needs `slow` times the steps. `assign_task` gives
-- a stage and suspects: the sub-agent does what these still need, as far as it turns out to exist.
--
-- Optimum: parl.project's, exact unless its search is cut off. All suspects have to be looked at,
-- so luck shortens nothing; whoever plans it knows what an inspection will say.

local parl <const> = parl
local tok <const> = parl.tok

local INSPECT <const>, PATCH <const>, VERIFY <const> = 1, 2, 3
local STAGES <const> = {"inspect", "patch", "verify"}
local ENGINEER <const> = 3
local COUNTS <const> = 4 -- times that the log names a suspect, at most

local project <const> = parl.project {
  roles = {"debugger", "profiler", "engineer"},
  stages = STAGES,
  item = "suspect",
  start = function(state)
    state.wrong = 0
  end,
  -- Of a suspect what an inspection said, or what was done.
  tell = function(world, _, job)
    local suspect, stage = (job + 2) // 3, (job - 1) % 3 + 1
    if stage ~= INSPECT then
      return world.effort[job] > 0 and {tok.suspect[suspect], tok.stage[stage]} or {}
    end
    return {tok.suspect[suspect], tok.word[world.faulty[suspect] and "confirmed" or "cleared"]}
  end,
  random_call = function(world, agent)
    local suspect = agent.rng:int(1, world.suspects)
    return not agent.state.done[3 * suspect - 1] and agent.rng:chance(0.05) and {"patch", suspect}
      or nil
  end,
}

-- ---------------------------------------------------------------------------------- the world

local function add_suspect(rng, params, world, suspect)
  world.symptom[suspect], world.count[suspect] = rng:int(1, 2), rng:int(1, COUNTS)
  local faulty <const> = rng:chance(params.p_fault * world.count[suspect] / COUNTS)
    or (suspect == world.suspects and world.n_faulty == 0)
  world.faulty[suspect], world.n_faulty = faulty, world.n_faulty + (faulty and 1 or 0)
  for stage = 1, 3 do
    local job <const> = project.job(suspect, stage)
    local effort <const> = project.draw(rng, params.effort_max, params.p_fail)
    world.effort[job] = (stage == INSPECT or faulty) and effort or 0
    world.suits[job] = stage == INSPECT and world.symptom[suspect] or ENGINEER
    world.needs[job] = stage > 1 and {job - 1} or {}
  end
end

local function reset(rng, params)
  if params.suspects_min > params.suspects_max then
    error("suspects_min exceeds suspects_max")
  end
  local suspects <const> = rng:int(params.suspects_min, params.suspects_max)
  local world = {
    suspects = suspects, n = 3 * suspects, slow = params.slow, n_faulty = 0, faulty = {},
    symptom = {}, count = {}, effort = {}, suits = {}, needs = {},
  }
  for suspect = 1, suspects do
    add_suspect(rng, params, world, suspect)
  end
  project.plan(world)
  return world
end

-- The log: each suspect, its symptom, how often it is named.
local function prompt(world)
  local tokens = {}
  for suspect = 1, world.suspects do
    tokens[3 * suspect - 2] = tok.suspect[suspect]
    tokens[3 * suspect - 1] = tok.symptom[world.symptom[suspect]]
    tokens[3 * suspect] = tok.count[world.count[suspect]]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function inspect(world, agent, suspect)
  local outcome = project.work(world, agent, project.job(suspect, INSPECT))
  if outcome == "new" then
    outcome = world.faulty[suspect] and "confirmed" or "cleared"
  end
  return tok.word[outcome]
end

local function patch(world, agent, suspect)
  local job, state = project.job(suspect, PATCH), project.progress(agent)
  if suspect > world.suspects then
    return tok.word.miss
  elseif not world.faulty[suspect] or not state.done[job - 1] then
    state.wrong = state.wrong + 1
    return tok.word.wrong
  end
  return tok.word[project.work(world, agent, job)]
end

local function verify(world, agent, suspect)
  return tok.word[project.work(world, agent, project.job(suspect, VERIFY))]
end

-- A patch is offered wherever it has not been made or ruled out: looking first is to be learnt.
local function legal(world, agent, tool, slot, taken, given)
  if tool ~= "patch" then
    return project.legal(world, agent, tool, slot, taken, given)
  end
  local suspects = {}
  for _, job in ipairs(project.open(world, agent)) do
    local suspect, stage = project.item(job)
    if stage == PATCH then suspects[#suspects + 1] = suspect end
  end
  return suspects
end

local function deliver(world, main, sub)
  local state = project.progress(main)
  state.wrong = state.wrong + project.progress(sub).wrong
  return project.deliver(world, main, sub)
end

local function score(world, main)
  local share, wrong = project.share(world, main), project.progress(main).wrong
  return math.max(0, share - 0.1 * wrong), share == 1 and wrong == 0 and 1 or 0
end

return parl.env(project.declare {
  name = "bugfix",
  summary = "clear or confirm suspects, patch and verify what is confirmed; a wrong patch costs",
  params = {
    suspects_min = {default = 3, min = 1, max = 100, doc = "least suspects of a log"},
    suspects_max = {default = 5, min = 1, max = 100, doc = "most suspects of a log"},
    p_fault = {default = 0.6, min = 0.0, max = 1.0,
               doc = "chance that a suspect is at fault which the log names 4 times"},
    effort_max = {default = 2, min = 1, max = 8, doc = "most steps of a stage that suits"},
  },
  presets = {
    easy = {suspects_min = 2, suspects_max = 3, effort_max = 1, p_fail = 0.0},
    hard = {suspects_min = 6, suspects_max = 8, effort_max = 6, p_fail = 0.3},
    swarm = {suspects_min = 60, suspects_max = 100, effort_max = 4, p_fail = 0.3},
  },
  -- A long log has a larger vocabulary: other models than the usual one.
  families = function(params)
    return {
      suspect = params.suspects_max > 16 and 100 or 16,
      symptom = {"crash", "slow"}, count = COUNTS, stage = STAGES,
      word = {"miss", "part", "done", "new", "blocked", "cleared", "confirmed", "wrong"},
    }
  end,
  tools = {
    inspect = {args = {"suspect"}, doc = "look into a suspect", run = inspect},
    patch = {args = {"suspect"}, doc = "a step of patching a suspect", run = patch},
    verify = {args = {"suspect"}, doc = "a step of verifying a patch", run = verify},
  },
  limits = function(params)
    local most <const> = 3 * params.slow * (params.effort_max + 2)
    return {
      context = 68 + params.suspects_max * (14 + 2 * params.slow * (params.effort_max + 2)),
      sub_context = 24 + 4 * params.suspects_max + 3 * most,
      sub_steps = most, -- one suspect from log to verification
      max_width = math.max(16, params.suspects_max),
      max_agents = 3,
      max_turns = 32 + 2 * params.suspects_max * most,
    }
  end,
  reset = reset,
  prompt = prompt,
  legal = legal,
  deliver = deliver,
  score = score,
})
