-- wide_search: fill a table. Rows are independent, so they can be searched side by side; every cell
-- is found by trying until a source confirms it, so nobody knows beforehand how long a row takes.
--
-- A search of a row tries its next open cell once. It returns `miss`, or `unsure value` (a rumour:
-- a wrong value that fills the cell until it is confirmed), or `sure value`; `full` is added when
-- the row is complete. The attempts before the confirmed one are fixed by the world, so w(row), the
-- searches a row needs, is exact, and the least critical steps of the whole task are known.
--
-- An agent's own progress is in agent.state: found[row] confirmed cells, tries[row] attempts on the
-- next cell, rumour[row] true if that cell holds a rumour.

local parl <const> = parl
local tok <const> = parl.tok

local MAX_FAILURES <const> = 3 -- attempts on a cell that are not confirmed, at most

-- ---------------------------------------------------------------------------------- the world

local function new_cell(rng, params, outcomes)
  local truth = rng:int(1, 32)
  for _ = 1, MAX_FAILURES do
    local u = rng:uniform()
    if u < params.p_fail then
      outcomes[#outcomes + 1] = 0
    elseif u < params.p_fail + params.p_rumour then
      outcomes[#outcomes + 1] = -((truth + rng:int(0, 30)) % 32 + 1) -- any other value
    else
      break
    end
  end
  outcomes[#outcomes + 1] = truth
end

-- Flat lists, for speed. outcomes: what each attempt on each cell returns, 0 a miss, -v a rumour,
-- v confirmed; the attempts on cell c of a row begin at first[base[row] + c]. w[row] is how many
-- searches a row needs.
local function reset(rng, params)
  if params.rows_min > params.rows_max then
    error("rows_min exceeds rows_max")
  end
  local world = {
    n = rng:int(params.rows_min, params.rows_max),
    width = params.width > 0 and params.width or math.max(16, params.rows_max),
    n_cells = 0, cells = {}, outcomes = {}, base = {}, first = {}, w = {},
  }
  local outcomes, first = world.outcomes, world.first
  for row = 1, world.n do
    local cells, before = rng:int(1, params.columns), #outcomes
    world.cells[row], world.base[row] = cells, #first
    for _ = 1, cells do
      first[#first + 1] = #outcomes + 1
      new_cell(rng, params, outcomes)
    end
    world.w[row] = #outcomes - before
  end
  world.n_cells = #first
  return world
end

local function prompt(world)
  local tokens = {}
  for row = 1, world.n do
    tokens[2 * row - 1] = tok.row[row]
    tokens[2 * row] = tok.count[world.cells[row]]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function progress(agent)
  local state = agent.state
  if not state.found then
    state.found, state.tries, state.rumour = {}, {}, {}
  end
  return state
end

local function is_full(world, state, row)
  return (state.found[row] or 0) == world.cells[row]
end

local function search(world, agent, row)
  local state = progress(agent)
  if row > world.n then
    return {tok.word.miss}
  end
  local found, tries, n_cells = state.found[row] or 0, state.tries[row] or 0, world.cells[row]
  if found == n_cells then
    return {tok.word.full}
  end
  local outcome = world.outcomes[world.first[world.base[row] + found + 1] + tries]
  if outcome == 0 then
    state.tries[row] = tries + 1
    return {tok.word.miss}
  elseif outcome < 0 then
    state.tries[row], state.rumour[row] = tries + 1, true
    return {tok.word.unsure, tok.value[-outcome]}
  end
  state.found[row], state.tries[row], state.rumour[row] = found + 1, 0, nil
  local word = tok.word
  if found + 1 == n_cells then
    return {word.sure, tok.value[outcome], word.full}
  end
  return {word.sure, tok.value[outcome]}
end

-- Rows that are not full, among those listed.
local function open_rows(world, state, rows)
  local open, k = {}, 0
  local n, cells, found = world.n, world.cells, state.found
  for i = 1, #rows do
    local row = rows[i]
    if row <= n and (found[row] or 0) < cells[row] then
      k = k + 1
      open[k] = row
    end
  end
  return open
end

-- The orchestrator's open rows, a sub-agent's own open ones.
local function rows_of(world, agent)
  local state = progress(agent)
  return open_rows(world, state, agent.main and parl.range(1, world.n) or state.task)
end

local function legal(world, agent, _, _, taken)
  return parl.without(rows_of(world, agent), taken)
end

local function brief(world, sub, task, main)
  local mine, theirs = progress(sub), progress(main)
  local tokens = {}
  mine.task = task
  for _, row in ipairs(task) do
    tokens[#tokens + 1] = tok.row[row]
    if row > world.n then
      tokens[#tokens + 1] = tok.word.miss
    elseif is_full(world, theirs, row) then
      mine.found[row] = world.cells[row]
      tokens[#tokens + 1] = tok.word.full
    else
      mine.found[row] = theirs.found[row] or 0
      tokens[#tokens + 1] = tok.count[world.cells[row] - mine.found[row]]
    end
  end
  return tokens
end

-- Confirmed cells add up; a rumour comes along if it is about the orchestrator's next open cell.
local function deliver(world, main, sub)
  local mine, theirs = progress(main), progress(sub)
  local tokens = {}
  local their_found, their_rumour = theirs.found, theirs.rumour
  for row = 1, world.n do
    local new, rumour = their_found[row] or 0, their_rumour[row]
    if new > 0 or rumour then
      local found = mine.found[row] or 0
      if new > found then
        mine.found[row], mine.tries[row], mine.rumour[row] = new, 0, rumour
      elseif new == found and rumour then
        mine.rumour[row] = true
      end
    end
  end
  for i, row in ipairs(open_rows(world, mine, theirs.task)) do
    tokens[i] = tok.row[row]
  end
  return tokens
end

-- Open rows and how many of their cells are missing.
local function summarize(world, main)
  local state, tokens = progress(main), {}
  for _, row in ipairs(rows_of(world, main)) do
    tokens[#tokens + 1] = tok.row[row]
    tokens[#tokens + 1] = tok.count[world.cells[row] - (state.found[row] or 0)]
  end
  return tokens
end

-- Item-F1: precision over filled cells (a rumour is filled, and wrong), recall over all cells.
local function score(world, main)
  local state = progress(main)
  local confirmed, rumours, full, touched = 0, 0, 0, 0
  local n, n_cells, cells = world.n, world.n_cells, world.cells
  local found, rumour = state.found, state.rumour
  for row = 1, n do
    local k, is_rumour = found[row] or 0, rumour[row]
    if k > 0 or is_rumour then
      confirmed, touched = confirmed + k, touched + 1
      if is_rumour then rumours = rumours + 1 end
      if k == cells[row] then full = full + 1 end
    end
  end
  local filled = confirmed + rumours
  return 2 * confirmed / (filled + n_cells), {
    success = confirmed == n_cells and 1 or 0,
    row_f1 = 2 * full / (touched + n),
    precision = filled > 0 and confirmed / filled or 0,
    recall = confirmed / n_cells,
  }
end

-- ------------------------------------------------------------------------------ the optimum

-- Alone: every search is a step. In parallel: create_subagent, the launch, and the longest
-- sub-agent. Rows that the orchestrator searched itself would add their steps and save no more.
local function optimum(world)
  local serial = 0
  for row = 1, world.n do
    serial = serial + world.w[row]
  end
  local makespan, _, exact = parl.makespan(world.w, world.width)
  return {critical = math.min(serial, 2 + makespan), serial = serial, r_perf = 1,
          bound = not exact and serial > 2 + makespan}
end

-- ------------------------------------------------------------------------------ the experts

local function random_turn(world, agent, rows)
  local rng, state = agent.rng, agent.state
  local can_create = (state.created or 0) < 4
  if (state.created or 0) > 0 and rng:chance(0.5) then
    rng:shuffle(rows)
    return parl.launch(parl.split(rows, 1), rng:int(1, math.min(world.width, #rows)))
  elseif can_create and rng:chance(0.3) then
    state.created = (state.created or 0) + 1
    return {{"create_subagent", state.created, "searcher"}}
  elseif rng:chance(0.02) then
    return {{"finish"}}
  end
  return {{"search", rng:pick(rows)}}
end

local function expert(world, agent, style)
  local state = progress(agent)
  if not agent.main then
    local task = state.task
    for i = 1, #task do
      if task[i] <= world.n and not is_full(world, state, task[i]) then
        return {{"search", task[i]}}
      end
    end
    return {{"finish"}}
  end
  local rows = rows_of(world, agent)
  if #rows == 0 then
    return {{"finish"}}
  elseif style == "random" then
    return random_turn(world, agent, rows)
  end
  local alone = style == "serial"
  if style == "oracle" then
    local best = optimum(world)
    alone = best.serial <= best.critical
  end
  if alone then
    return {{"search", rows[1]}}
  elseif not state.created then
    state.created = 1
    return {{"create_subagent", 1, "searcher"}}
  elseif style == "oracle" and #rows == world.n then
    local _, groups = parl.makespan(world.w, world.width)
    return parl.launch(groups)
  end
  return parl.launch(parl.split(rows, 1), style == "narrow" and 2 or world.width)
end

return parl.env {
  name = "wide_search",
  summary = "fill a table whose rows can be searched in parallel; sources are noisy",
  params = {
    rows_min = {default = 4, min = 1, max = 128, doc = "least rows of a table"},
    rows_max = {default = 12, min = 1, max = 128, doc = "most rows of a table"},
    columns = {default = 2, min = 1, max = 4, doc = "most cells of a row"},
    p_fail = {default = 0.2, min = 0.0, max = 0.9, doc = "chance that an attempt finds nothing"},
    p_rumour = {default = 0.1, min = 0.0, max = 0.9, doc = "chance that it finds a wrong value"},
    width = {default = 0, min = 0, max = 128,
             doc = "sub-agents launched in one turn; 0: 16, or rows_max if that is more"},
  },
  presets = {
    easy = {rows_min = 4, rows_max = 6, columns = 1, p_fail = 0.1, p_rumour = 0.0},
    hard = {rows_min = 12, rows_max = 24, columns = 3, p_fail = 0.3, p_rumour = 0.15},
    huge = {rows_min = 64, rows_max = 128},
  },
  roles = {"searcher"},
  -- A table of more than 64 rows has a larger vocabulary: other models than the usual one.
  families = function(params)
    return {
      row = params.rows_max > 64 and 128 or 64,
      count = 4,
      value = 32,
      word = {"miss", "unsure", "sure", "full"},
    }
  end,
  tools = {
    search = {args = {"row"}, doc = "try the row's next open cell once", run = search},
  },
  task = {args = {"row+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
  -- The orchestrator's context holds a wide episode of any size, but not a large table searched
  -- alone. A sub-agent's steps suffice for any row, and for its share of rows if width is scarce.
  limits = function(params)
    local width = params.width > 0 and params.width or math.max(16, params.rows_max)
    local share = (params.rows_max + width - 1) // width
    local sub_steps = (MAX_FAILURES + 1) * params.columns * share
    return {
      context = 64 + 8 * params.rows_max,
      sub_context = 16 + 6 * sub_steps,
      sub_steps = sub_steps,
      max_width = width,
      max_agents = 4,
      max_turns = 16 + (MAX_FAILURES + 1) * params.columns * params.rows_max,
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
}
