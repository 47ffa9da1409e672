-- wide_search: fill a table. Rows are independent, so they can be searched side by side; every cell
-- is found by trying until a source confirms it, so nobody knows beforehand how long a row takes.
--
-- A search of a row tries its next open cell once. It returns `miss`, or `unsure value` (a rumour:
-- a wrong value that fills the cell until it is confirmed), or `sure value`; `full` is added when
-- the row is complete. The attempts before the confirmed one are fixed by the world, so w(row), the
-- searches a row needs, is exact, and the least critical steps of the whole task are known.
--
-- An agent's own progress is in agent.state: state[row] is the next attempt on the row (nil: the
-- first), 0 once the row is full; state[-row] is true while the cell it is about holds a rumour.

local parl <const> = parl
local tok <const> = parl.tok
local max <const>, min <const>, range <const> = math.max, math.min, parl.range

local MAX_FAILURES <const> = 3 -- attempts on a cell that are not confirmed, at most
local LAST <const> = 4096 -- added to the outcome that completes a row; more than any token
local NOTHING <const> = {} -- a message without tokens

-- Tokens: a local is read faster than parl.tok.
local row_token, count_token, value_token, MISS, UNSURE, SURE, FULL

local function ready()
  row_token, count_token, value_token = tok.row, tok.count, tok.value
  MISS, UNSURE, SURE, FULL = tok.word.miss, tok.word.unsure, tok.word.sure, tok.word.full
end

-- ---------------------------------------------------------------------------------- the world

-- The world is, for speed, the list of what each attempt on each cell of each row returns, in one
-- sequence: 0 a miss, -t a rumour, t confirmed, where t is the token of the value. The attempts on
-- a row begin at first[row]; cells[row] of them are confirmed. makespan: the steps of the longest
-- sub-agent if the rows are best divided, which takes `groups` where not every row has its own.
local function reset(rng, params)
  if params.rows_min > params.rows_max then
    error("rows_min exceeds rows_max")
  end
  local int <const>, uniform <const> = rng.int, rng.uniform
  local columns <const>, p_fail <const> = params.columns, params.p_fail
  local p_wrong <const>, value <const> = p_fail + params.p_rumour, value_token
  local n <const> = int(rng, params.rows_min, params.rows_max)
  local width <const> = params.width > 0 and params.width or max(16, params.rows_max)
  local cells, first, w = {}, {}, {} -- w: searches that a row needs
  local world = {
    n = n, width = width, cells = cells, first = first, n_cells = 0, n_attempts = 0,
    makespan = 0, is_exact = true,
  }
  local n_cells, longest, i = 0, 0, 1
  for row = 1, n do
    local k = int(rng, 1, columns)
    first[row], cells[row], n_cells = i, k, n_cells + k
    for _ = 1, k do
      local truth = int(rng, 1, 32)
      for _ = 1, MAX_FAILURES do
        local u = uniform(rng)
        if u >= p_wrong then
          break
        end
        -- a rumour is any other value
        world[i] = u < p_fail and 0 or -value[(truth + int(rng, 0, 30)) % 32 + 1]
        i = i + 1
      end
      world[i] = value[truth]
      i = i + 1
    end
    world[i - 1] = world[i - 1] + LAST
    w[row] = i - first[row]
    longest = max(longest, w[row])
  end
  world.n_cells, world.n_attempts, world.makespan = n_cells, i - 1, longest
  if n > width then
    world.makespan, world.groups, world.is_exact = parl.makespan(w, width)
  end
  return world
end

local function prompt(world)
  local tokens, cells = {}, world.cells
  for row = 1, world.n do
    tokens[2 * row - 1], tokens[2 * row] = row_token[row], count_token[cells[row]]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function search(world, agent, row)
  local state = agent.state
  local i = state[row]
  if i == 0 then
    return FULL
  elseif not i then
    i = world.first[row]
    if not i then
      return MISS
    elseif state.task then -- not one of its own rows
      state.others = state.others or {}
      state.others[#state.others + 1] = row
    end
  end
  local outcome = world[i]
  state[row] = i + 1
  if outcome == 0 then
    return MISS
  elseif outcome < 0 then
    if not state[-row] then
      state[-row], state.rumours = true, (state.rumours or 0) + 1
    end
    return UNSURE, -outcome
  elseif state[-row] then
    state[-row], state.rumours = nil, state.rumours - 1
  end
  if not state.task then -- an orchestrator: its score
    state.confirmed = (state.confirmed or 0) + 1
  end
  if outcome > LAST then
    state[row] = 0
    return SURE, outcome - LAST, FULL
  end
  return SURE, outcome
end

-- Back to the first attempt on the cell that attempt i is about.
local function cell_start(world, row, i)
  local first = world.first[row]
  while i > first and world[i - 1] <= 0 do
    i = i - 1
  end
  return i
end

-- Open cells of a row before attempt i (nil: the first; 0: the row is full).
local function count_open(world, row, i)
  if not i then
    return world.cells[row]
  elseif i == 0 then
    return 0
  end
  local n = 1
  while world[i] < LAST do
    if world[i] > 0 then
      n = n + 1
    end
    i = i + 1
  end
  return n
end

-- Rows that are not full: the orchestrator's, or a sub-agent's own.
local function open_rows(world, state)
  local task, k = state.task, 0
  if not task then
    local n = world.n
    local open = range(1, n) -- a list of that size
    for row = 1, n do
      if state[row] ~= 0 then
        k = k + 1
        open[k] = row
      end
    end
    for j = k + 1, n do
      open[j] = nil
    end
    return open
  end
  local open = {}
  for j = 1, #task do
    local i = state[task[j]] -- nil: there is no such row
    if i and i > 0 then
      k = k + 1
      open[k] = task[j]
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
  local i, cells = theirs[row], world.cells[row]
  if i == 0 then
    mine[row] = 0
    return row_token[row], FULL
  elseif i then
    mine[row] = cell_start(world, row, i)
    return row_token[row], count_token[count_open(world, row, i)]
  elseif cells then
    mine[row] = world.first[row]
    return row_token[row], count_token[cells]
  end
  return row_token[row], MISS
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
local function take_over(world, mine, theirs, row)
  local new, i, rumour, had = theirs[row], mine[row], theirs[-row], mine[-row]
  local left = new > 0 and count_open(world, row, new) or 0
  local had_left = i and count_open(world, row, i) or world.cells[row]
  if left < had_left then
    mine[row] = left > 0 and cell_start(world, row, new) or 0
    mine.confirmed = (mine.confirmed or 0) + had_left - left
  elseif left > had_left or not rumour then
    return
  end
  if rumour ~= had then
    mine[-row], mine.rumours = rumour, (mine.rumours or 0) + (had and -1 or 1)
  end
end

local function deliver(world, main, sub)
  local mine, theirs, tokens = main.state, sub.state, nil
  local task, others = theirs.task, theirs.others
  local k, row = 1, task[1]
  while row do
    if theirs[row] then
      take_over(world, mine, theirs, row)
      if mine[row] ~= 0 then
        tokens = tokens or {}
        tokens[#tokens + 1] = row_token[row]
      end
    end
    k = k + 1
    row = task[k]
  end
  if others then
    for j = 1, #others do
      take_over(world, mine, theirs, others[j])
    end
  end
  return tokens or NOTHING
end

-- Open rows and how many of their cells are missing.
local function summarize(world, main)
  local state, tokens = main.state, {}
  for k, row in ipairs(open_rows(world, state)) do
    tokens[2 * k - 1] = row_token[row]
    tokens[2 * k] = count_token[count_open(world, row, state[row])]
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

-- Alone: every search is a step. In parallel: create_subagent, the launch, and the longest
-- sub-agent. Rows that the orchestrator searched itself would add their steps and save no more.
local function optimum(world)
  local serial, parallel = world.n_attempts, 2 + world.makespan
  local alone <const> = serial <= parallel
  local is_exact <const> = alone or world.is_exact
  return {
    critical = min(serial, parallel), serial = serial, r_perf = 1,
    is = is_exact and "exact" or "bound",
    width = alone and 0 or is_exact and (world.groups and #world.groups or world.n) or nil,
  }
end

-- ------------------------------------------------------------------------------ the experts

local function random_turn(world, state, rng)
  local created = state.created or 0
  if created > 0 and rng:chance(0.5) then
    local rows = rng:shuffle(open_rows(world, state))
    return "launch", 1, rows, rng:int(1, min(world.width, #rows))
  elseif created < 4 and rng:chance(0.3) then
    state.created = created + 1
    return "create_subagent", created + 1, "searcher"
  elseif rng:chance(0.02) then
    return "finish"
  end
  return "search", rng:pick(open_rows(world, state))
end

-- The first row that is not full, nil if there is none. Those before stay full.
local function next_open(world, state)
  local row = state.next or 1
  while state[row] == 0 do
    row = row + 1
  end
  state.next = row
  return row <= world.n and row or nil
end

local function expert(world, agent, style)
  local state = agent.state
  local task = state.task
  if task then -- a sub-agent searches its rows one after the other
    local k, row = 1, task[1]
    while row do
      local i = state[row] -- nil: there is no such row
      if i and i > 0 then
        return "search", row
      end
      k = k + 1
      row = task[k]
    end
    return "finish"
  end
  local row = next_open(world, state)
  if not row then
    return "finish"
  elseif style == "serial" then
    return "search", row
  elseif style == "random" then
    return random_turn(world, state, agent.rng)
  elseif style == "oracle" and world.n_attempts <= 2 + world.makespan then
    return "search", row
  elseif not state.created then
    state.created = 1
    return "create_subagent", 1, "searcher"
  end
  local rows = open_rows(world, state)
  if style == "oracle" and world.groups and #rows == world.n then
    return "launch", 1, world.groups
  end
  return "launch", 1, rows, style == "narrow" and 2 or world.width
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
  ready = ready,
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
