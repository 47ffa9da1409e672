-- deep_search: a question with several lines of reasoning. Each branch is a tree of depth D; only
-- its leaves can hold a clue, most are dead ends, and the answer is the clues of all branches.
--
-- `explore` takes one step of the depth-first search of a branch: down to the next node that was
-- not seen (`fork`: it has children, `dead`: it has none, `clue v`: a leaf with a clue), or one
-- `back` up from a node that is exhausted. A branch is closed by its clue, or when nothing is left
-- in it. What comes back from a sub-agent is closed branches; a branch that it left half explored
-- is lost.
--
-- `answer` counts only when every branch is closed (an answer must be supported); it is compared
-- with the set of all clues: r_perf is 1 or 0, and nothing before the answer earns anything.
--
-- Optimum: the walk of a branch takes w(branch) steps, all of one agent. Alone: sum w + 1. With a
-- launch: create_subagent, the launch, at least the longest walk, the answer; one sub-agent for
-- each branch takes exactly that.
--
-- An agent's own progress is in agent.state: seen[branch] steps of the walk.

local parl <const> = parl
local tok <const> = parl.tok

local FORK <const>, DEAD <const>, BACK <const> = -1, -2, -3 -- events of a walk; v > 0: a clue
local N_VALUES <const> = 32

-- ---------------------------------------------------------------------------------- the world

-- A tree: children lists its inner node's, is_leaf marks those at full depth.
local function new_tree(rng, params, depth, leaves, p_dead)
  local node = {is_leaf = depth == 1}
  if node.is_leaf then
    leaves[#leaves + 1] = node
  elseif not rng:chance(p_dead) then
    for k = 1, params.children do
      node[k] = new_tree(rng, params, depth - 1, leaves, p_dead)
    end
  end
  return node
end

-- Appends the depth-first walk from a node that was just entered; true when the clue was met. The
-- way back up is taken only when there is something left above: `pending` such ways are owed.
local function walk_tree(node, walk, pending)
  for _ = 1, pending do
    walk[#walk + 1] = BACK
  end
  walk[#walk + 1] = node.clue or (#node > 0 and FORK or DEAD)
  if node.clue then
    return true, 0
  end
  local owed = 0
  for k = 1, #node do
    local is_met
    is_met, owed = walk_tree(node[k], walk, owed)
    if is_met then
      return true, 0
    end
    owed = owed + 1
  end
  return false, owed
end

local function new_branch(rng, params, clue, p_dead)
  local leaves, walk = {}, {}
  local tree = new_tree(rng, params, params.depth, leaves, p_dead)
  if clue and #leaves > 0 then
    rng:pick(leaves).clue = clue
  end
  local has_clue = walk_tree(tree, walk, 0)
  return walk, has_clue
end

local function reset(rng, params)
  if params.branches_min > params.branches_max then
    error("branches_min exceeds branches_max")
  end
  local world = {n = rng:int(params.branches_min, params.branches_max), walk = {}, n_clues = 0,
                 serial = 0, longest = 0}
  local values = parl.range(1, N_VALUES)
  rng:shuffle(values)
  for branch = 1, world.n do
    local clue = rng:chance(params.p_clue) and values[branch] or nil
    local walk, has_clue = new_branch(rng, params, clue, params.p_dead)
    if branch == world.n and world.n_clues == 0 and not has_clue then -- there is always one
      walk, has_clue = new_branch(rng, params, values[branch], 0.0)
    end
    world.walk[branch] = walk
    world.serial, world.longest = world.serial + #walk, math.max(world.longest, #walk)
    world.n_clues = world.n_clues + (has_clue and 1 or 0)
  end
  return world
end

local function prompt(world)
  local tokens = {}
  for branch = 1, world.n do
    tokens[branch] = tok.branch[branch]
  end
  return tokens
end

-- --------------------------------------------------------------------------------- an agent

local function is_closed(world, state, branch)
  return (state.seen[branch] or 0) == #world.walk[branch]
end

-- The clue of a branch, nil if it has none.
local function get_clue(world, branch)
  local last = world.walk[branch][#world.walk[branch]]
  return last > 0 and last or nil
end

local work <const> = parl.worklist {
  tool = "explore",
  role = "searcher",
  start = function(state)
    state.seen, state.is_right = {}, false
  end,
  is_open = function(world, state, branch)
    return not is_closed(world, state, branch)
  end,
  alone = function(world, style)
    return style == "oracle" and world.serial <= 2 + world.longest
  end,
  random_call = function(_, agent)
    return agent.rng:chance(0.05) and {"answer", {agent.rng:int(1, N_VALUES)}} or nil
  end,
}

-- The clues of closed branches, in the order of branches.
local function known_clues(world, state)
  local clues = {}
  for branch = 1, world.n do
    if is_closed(world, state, branch) then
      clues[#clues + 1] = get_clue(world, branch)
    end
  end
  return clues
end

local function explore(world, agent, branch)
  local state = work.progress(agent)
  if branch > world.n then
    return {tok.word.miss}
  elseif is_closed(world, state, branch) then
    return {tok.word.closed}
  end
  local seen = (state.seen[branch] or 0) + 1
  local event = world.walk[branch][seen]
  state.seen[branch] = seen
  if event > 0 then
    return {tok.word.clue, tok.value[event]}
  end
  local word = event == FORK and tok.word.fork or event == DEAD and tok.word.dead or tok.word.back
  if is_closed(world, state, branch) then
    return {word, tok.word.closed}
  end
  return {word}
end

local function answer(world, agent, values)
  local state = work.progress(agent)
  if not agent.main or #work.open(world, agent) > 0 then
    return {tok.word.open}
  end
  local is_clue, n_right = {}, 0
  for _, clue in ipairs(known_clues(world, state)) do
    is_clue[clue] = true
  end
  for _, value in ipairs(values) do
    n_right = n_right + (is_clue[value] and 1 or 0)
    is_clue[value] = nil
  end
  state.is_right = n_right == world.n_clues and #values == world.n_clues
  return {tok.word.noted}
end

-- Branches that are open; values that are known clues once all is closed.
local function legal(world, agent, tool, _, taken)
  local options = work.open(world, agent)
  if tool == "answer" then
    local is_ready = agent.main and #options == 0
    options = is_ready and known_clues(world, work.progress(agent)) or {}
  end
  return parl.without(options, taken)
end

local function brief(world, sub, task, main)
  local mine, theirs, tokens = work.progress(sub), work.progress(main), {}
  mine.task = task
  for _, branch in ipairs(task) do
    tokens[#tokens + 1] = tok.branch[branch]
    if branch > world.n then
      tokens[#tokens + 1] = tok.word.miss
    elseif is_closed(world, theirs, branch) then
      mine.seen[branch] = theirs.seen[branch]
      tokens[#tokens + 1] = tok.word.closed
    end
  end
  return tokens
end

-- The message: of each branch of the task its clue, or that it is a dead end, or that it is open.
local function deliver(world, main, sub)
  local mine, theirs, tokens = work.progress(main), work.progress(sub), {}
  for branch = 1, world.n do
    if is_closed(world, theirs, branch) then
      mine.seen[branch] = theirs.seen[branch]
    end
  end
  for _, branch in ipairs(theirs.task) do
    if branch <= world.n then
      tokens[#tokens + 1] = tok.branch[branch]
      if not is_closed(world, theirs, branch) then
        tokens[#tokens + 1] = tok.word.open
      elseif get_clue(world, branch) then
        tokens[#tokens + 1] = tok.value[get_clue(world, branch)]
      else
        tokens[#tokens + 1] = tok.word.dead
      end
    end
  end
  return tokens
end

local function score(world, main)
  local solved = work.progress(main).is_right and 1 or 0
  return solved, {success = solved, closed = 1 - #work.open(world, main) / world.n}
end

local function optimum(world)
  local serial <const>, parallel <const> = world.serial, 2 + world.longest
  return {critical = math.min(serial, parallel) + 1, serial = serial + 1, r_perf = 1,
          is = "exact", width = serial <= parallel and 0 or world.n}
end

-- ------------------------------------------------------------------------------ the experts

-- The answer is due when every branch is closed.
local function expert(world, agent, style)
  local state, branches = work.progress(agent), work.open(world, agent)
  if agent.main and #branches == 0 and not state.is_right then
    return {{"answer", known_clues(world, state)}}
  end
  return work.turn(world, agent, style, branches)
end

return parl.env {
  name = "deep_search",
  summary = "branching reasoning: clues only at the leaves, dead ends, one exact answer at the end",
  params = {
    branches_min = {default = 3, min = 1, max = 16, doc = "least branches of a question"},
    branches_max = {default = 4, min = 1, max = 16, doc = "most branches of a question"},
    depth = {default = 3, min = 1, max = 4, doc = "nodes from the top of a branch to a leaf"},
    children = {default = 2, min = 1, max = 3, doc = "children of a node that is no dead end"},
    p_dead = {default = 0.3, min = 0.0, max = 0.9, doc = "chance that an inner node is a dead end"},
    p_clue = {default = 0.8, min = 0.0, max = 1.0, doc = "chance that a branch has a clue"},
  },
  presets = {
    easy = {branches_min = 2, branches_max = 3, depth = 2, p_clue = 1.0},
    hard = {branches_min = 4, branches_max = 8, depth = 4, p_dead = 0.2},
  },
  roles = {"searcher"},
  families = {
    branch = 16,
    value = N_VALUES,
    word = {"miss", "fork", "dead", "back", "clue", "closed", "open", "noted"},
  },
  tools = {
    explore = {args = {"branch"}, doc = "one step of the search of a branch", run = explore},
    answer = {args = {"value+"}, max = 16, doc = "give the clues of all branches", run = answer},
  },
  task = {args = {"branch+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
  -- The longest walk visits every node and goes back up from all but the last line of nodes.
  limits = function(params)
    local n_nodes, level = 0, 1
    for _ = 1, params.depth do
      n_nodes, level = n_nodes + level, level * params.children
    end
    local walk = 2 * n_nodes - params.depth
    return {
      context = 32 + params.branches_max * (8 + 3 * walk),
      sub_context = 8 + 2 * params.branches_max + 4 * walk,
      sub_steps = walk,
      max_width = 16,
      max_agents = 2,
      max_turns = 16 + 2 * walk * params.branches_max,
    }
  end,
  reset = reset,
  prompt = prompt,
  legal = legal,
  brief = brief,
  deliver = deliver,
  score = score,
  optimum = optimum,
  expert = expert,
  family = function() return "deep_search" end,
}
