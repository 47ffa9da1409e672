-- wide_search: fill a table. Rows are independent, so they can be searched side by side; every cell
-- is found by trying until a source confirms it, so nobody knows beforehand how long a row takes.
--
-- A search of a row tries its next open cell once. It returns `miss`, or `unsure value` (a rumour:
-- a wrong value that fills the cell until it is confirmed), or `sure value`; `full` is added when
-- the row is complete. The attempts before the confirmed one are fixed by the world, so w(row), the
-- searches a row needs, is exact, and the least critical steps of the whole task are known.
--
-- An agent's own progress is in agent.state: state[row] is the next attempt on the row (nil: the
-- first), state[-row] is true while the cell it is about holds a rumour.

local parl <const> = parl
local tok <const> = parl.tok
local max <const>, min <const> = math.max, math.min

local MAX_FAILURES <const> = 3 -- attempts on a cell that are not confirmed, at most

-- ---------------------------------------------------------------------------------- the world

-- Flat lists, for speed. outcomes: what each attempt on each cell of each row returns, one after
-- the other, 0 a miss, -v a rumour, v confirmed. The attempts on a row are those from stop[row - 1]
-- to before stop[row]; cells[row] of them are confirmed.
local function reset(rng, params)
  if params.rows_min > params.rows_max then
    error("rows_min exceeds rows_max")
  end
  local columns <const>, p_fail <const> = params.columns, params.p_fail
  local p_wrong <const> = p_fail + params.p_rumour
  local outcomes, cells, stop = {}, {}, {[0] = 1}
  local n = rng:int(params.rows_min, params.rows_max)
  local n_cells, longest, i = 0, 0, 1
  for row = 1, n do
    local k, first = rng:int(1, columns), i
    cells[row], n_cells = k, n_cells + k
    for _ = 1, k do
      local truth = rng:int(1, 32)
      for _ = 1, MAX_FAILURES do
        local u = rng:uniform()
        if u >= p_wrong then
          break
        end
        -- a rumour is any other value
        outcomes[i] = u < p_fail and 0 or -((truth + rng:int(0, 30)) % 32 + 1)
        i = i + 1
      end
      outcomes[i] = truth
      i = i + 1
    end
    stop[row] = i
    if i - first > longest then
      longest = i - first
    end
  end
  return {
    n = n,
    width = params.width > 0 and params.width or max(16, params.rows_max),
    n_cells = n_cells, n_attempts = i - 1, longest = longest,
    outcomes = outcomes, cells = cells, stop = stop,
  }
end

local function prompt(world)
  local tokens, row_token, count, cells = {}, tok.row, tok.count, world.cells
  for row = 1, world.n do
    tokens[2 * row - 1], tokens[2 * row] = row_token[row], count[cells[row]]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function search(world, agent, row)
  local state, stop = agent.state, world.stop
  local last = stop[row]
  if not last then
    return tok.word.miss
  end
  local i = state[row]
  if not i then
    i = stop[row - 1]
    if state.task then -- not one of its own rows
      state.others = state.others or {}
      state.others[#state.others + 1] = row
    end
  elseif i == last then
    return tok.word.full
  end
  local outcome, word = world.outcomes[i], tok.word
  i = i + 1
  state[row] = i
  if outcome > 0 then
    state.confirmed = (state.confirmed or 0) + 1
    if state[-row] then
      state[-row], state.rumours = nil, state.rumours - 1
    end
    if i == last then
      return word.sure, tok.value[outcome], word.full
    end
    return word.sure, tok.value[outcome]
  elseif outcome == 0 then
    return word.miss
  elseif not state[-row] then
    state[-row], state.rumours = true, (state.rumours or 0) + 1
  end
  return word.unsure, tok.value[-outcome]
end

-- Back to the first attempt on the cell that attempt i is about.
local function cell_start(world, row, i)
  local outcomes, first = world.outcomes, world.stop[row - 1]
  while i > first and outcomes[i - 1] <= 0 do
    i = i - 1
  end
  return i
end

-- Open cells of a row before attempt i (nil: the first).
local function count_open(world, row, i)
  if not i then
    return world.cells[row]
  end
  local outcomes, n = world.outcomes, 0
  for k = i, world.stop[row] - 1 do
    if outcomes[k] > 0 then
      n = n + 1
    end
  end
  return n
end

-- Rows that are not full: the orchestrator's, or a sub-agent's own.
local function open_rows(world, state)
  local open, k, stop, task = {}, 0, world.stop, state.task
  if not task then
    for row = 1, world.n do
      local i = state[row]
      if not i or i ~= stop[row] then
        k = k + 1
        open[k] = row
      end
    end
    return open
  end
  for j = 1, #task do
    local row = task[j]
    if state[row] ~= stop[row] then -- both are nil if there is no such row
      k = k + 1
      open[k] = row
    end
  end
  return open
end

local function legal(world, agent, _, _, taken)
  local open = open_rows(world, agent.state)
  return taken[1] and parl.without(open, taken) or open
end

-- Tells a sub-agent of a row: two tokens.
local function tell(world, mine, theirs, row)
  local i, last = theirs[row], world.stop[row]
  if not last then
    return tok.row[row], tok.word.miss
  elseif i == last then
    mine[row] = i
    return tok.row[row], tok.word.full
  end
  mine[row] = i and cell_start(world, row, i) or world.stop[row - 1]
  return tok.row[row], tok.count[count_open(world, row, i)]
end

local function brief(world, sub, task, main)
  local mine, theirs = sub.state, main.state
  mine.task = task
  if #task == 1 then
    return tell(world, mine, theirs, task[1])
  end
  local tokens = {}
  for k = 1, #task do
    tokens[2 * k - 1], tokens[2 * k] = tell(world, mine, theirs, task[k])
  end
  return tokens
end

-- Confirmed cells add up; a rumour comes along if it is about the orchestrator's next open cell.
local function take_over(world, mine, theirs, row, last)
  local new, i, rumour, had = theirs[row], mine[row], theirs[-row], mine[-row]
  if new ~= last then
    new = cell_start(world, row, new)
  end
  if new > (i or world.stop[row - 1]) then
    mine[row], mine[-row] = new, rumour
    mine.confirmed = (mine.confirmed or 0) + count_open(world, row, i)
    if new ~= last then
      mine.confirmed = mine.confirmed - count_open(world, row, new)
    end
  elseif rumour and (not i or new == cell_start(world, row, i)) then
    mine[-row] = true
  end
  if mine[-row] ~= had then
    mine.rumours = (mine.rumours or 0) + (had and -1 or 1)
  end
end

local function deliver(world, main, sub)
  local mine, theirs, stop, tokens = main.state, sub.state, world.stop, {}
  local task, others = theirs.task, theirs.others
  for k = 1, #task do
    local row = task[k]
    local last = stop[row]
    if last then
      take_over(world, mine, theirs, row, last)
      if mine[row] ~= last then
        tokens[#tokens + 1] = tok.row[row]
      end
    end
  end
  for k = 1, others and #others or 0 do
    take_over(world, mine, theirs, others[k], stop[others[k]])
  end
  return tokens
end

-- Open rows and how many of their cells are missing.
local function summarize(world, main)
  local state, tokens = main.state, {}
  for k, row in ipairs(open_rows(world, state)) do
    tokens[2 * k - 1], tokens[2 * k] = tok.row[row], tok.count[count_open(world, row, state[row])]
  end
  return tokens
end

-- Item-F1: precision over filled cells (a rumour is filled, and wrong), recall over all cells.
local function score(world, main)
  local state, n_cells = main.state, world.n_cells
  local confirmed = state.confirmed or 0
  local filled = confirmed + (state.rumours or 0)
  return 2 * confirmed / (filled + n_cells), confirmed == n_cells and 1 or 0
end

local function details(world, main)
  local state, full, touched = main.state, 0, 0
  for row = 1, world.n do
    local open = count_open(world, row, state[row])
    if open < world.cells[row] or state[-row] then touched = touched + 1 end
    if open == 0 then full = full + 1 end
  end
  local confirmed = state.confirmed or 0
  local filled = confirmed + (state.rumours or 0)
  return {
    row_f1 = 2 * full / (touched + world.n),
    precision = filled > 0 and confirmed / filled or 0,
    recall = confirmed / world.n_cells,
  }
end

-- ------------------------------------------------------------------------------ the optimum

-- How the rows are best divided among sub-agents: the steps of the longest, whose rows they are,
-- and whether that is the least.
local function schedule(world)
  local w = {}
  for row = 1, world.n do
    w[row] = world.stop[row] - world.stop[row - 1]
  end
  return parl.makespan(w, world.width)
end

-- Alone: every search is a step. In parallel: create_subagent, the launch, and the longest
-- sub-agent; where every row has its own, that is the longest row. Rows that the orchestrator
-- searched itself would add their steps and save no more.
local function optimum(world)
  local serial, makespan, is_exact, _ = world.n_attempts, world.longest, true, nil
  if world.n > world.width then
    makespan, _, is_exact = schedule(world)
  end
  return {critical = min(serial, 2 + makespan), serial = serial, r_perf = 1,
          bound = not is_exact and serial > 2 + makespan}
end

-- ------------------------------------------------------------------------------ the experts

local function random_turn(world, agent, rows)
  local rng, state = agent.rng, agent.state
  local can_create = (state.created or 0) < 4
  if (state.created or 0) > 0 and rng:chance(0.5) then
    rng:shuffle(rows)
    return parl.launch(rows, rng:int(1, min(world.width, #rows)))
  elseif can_create and rng:chance(0.3) then
    state.created = (state.created or 0) + 1
    return "create_subagent", state.created, "searcher"
  elseif rng:chance(0.02) then
    return "finish"
  end
  return "search", rng:pick(rows)
end

local function expert(world, agent, style)
  local state = agent.state
  local task = state.task
  if task then -- a sub-agent searches its rows one after the other
    local stop = world.stop
    for k = 1, #task do
      local row = task[k]
      if state[row] ~= stop[row] then -- both are nil if there is no such row
        return "search", row
      end
    end
    return "finish"
  end
  local rows = open_rows(world, state)
  if #rows == 0 then
    return "finish"
  elseif style == "random" then
    return random_turn(world, agent, rows)
  end
  local alone = style == "serial"
  if style == "oracle" then
    local best = optimum(world)
    alone = best.serial <= best.critical
  end
  if alone then
    return "search", rows[1]
  elseif not state.created then
    state.created = 1
    return "create_subagent", 1, "searcher"
  elseif style == "oracle" and #rows == world.n and world.n > world.width then
    local _, groups = schedule(world)
    return parl.launch(groups)
  end
  return parl.launch(rows, style == "narrow" and 2 or world.width)
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
  details = details,
  optimum = optimum,
  expert = expert,
}
