-- my_env: pick the apples of an orchard. Replace it, piece by piece, by what you want to study.
--
-- The orchard has some trees, each with some apples. One call of `pick` takes one apple. A
-- sub-agent that is sent to trees works there on its own, so trees can be picked side by side.
--
--   parl env check my_env.lua     is it sound?
--   parl env play my_env.lua      what happens in it?
--   parl env bench my_env.lua     how fast is it?
--   parl train my_env_recipe.lua  train an orchestrator on it
--
-- Everything a callback may use is in docs/lua-api.md; your editor knows it, too.

local tok <const> = parl.tok -- tok.tree[3], tok.word.empty: the tokens of `families` below

local MAX_TREES <const> = 8
local MAX_APPLES <const> = 6

-- ------------------------------------------------------------------------------------ the task

-- Makes a world from chance and parameters. A world never changes afterwards; what changes while an
-- agent works is in its agent.state.
local function reset(rng, params)
  local world = {n_trees = rng:int(params.trees_min, params.trees_max), apples = {}, total = 0}
  for tree = 1, world.n_trees do
    world.apples[tree] = rng:int(1, params.apples_max)
    world.total = world.total + world.apples[tree]
  end
  return world
end

-- What the orchestrator reads first: a list of tokens.
local function prompt(world)
  local tokens = {}
  for tree = 1, world.n_trees do
    tokens[#tokens + 1] = tok.tree[tree]
    tokens[#tokens + 1] = tok.count[world.apples[tree]]
  end
  return tokens
end

-- ----------------------------------------------------------------------------------- the agents

-- picked[tree]: apples this agent knows to be picked.
local function progress(agent)
  local state = agent.state
  state.picked = state.picked or {}
  return state
end

-- The handler of a tool gets the world, the agent that calls, and the arguments; it returns what
-- the agent sees. Arguments are always in range, but need not make sense: say so, do not raise.
local function pick(world, agent, tree)
  local picked = progress(agent).picked
  if tree > world.n_trees then
    return {tok.word.nothing}
  end
  if (picked[tree] or 0) < world.apples[tree] then
    picked[tree] = (picked[tree] or 0) + 1
  end
  return {picked[tree] == world.apples[tree] and tok.word.empty or tok.word.more}
end

local function has_apples(world, state, tree)
  return tree <= world.n_trees and (state.picked[tree] or 0) < world.apples[tree]
end

-- Optional: which values make sense now. A recipe's episode.legal decides whether it is asked.
local function legal(world, agent, _tool, _slot, taken)
  local state, trees, is_taken = progress(agent), {}, {}
  for i = 1, #taken do
    is_taken[taken[i]] = true
  end
  for tree = 1, world.n_trees do
    if has_apples(world, state, tree) and not is_taken[tree] then
      trees[#trees + 1] = tree
    end
  end
  return trees
end

-- A sub-agent begins: remember its task, return its first message. It sees its own state only.
local function brief(world, sub, task, main)
  local state, theirs, tokens = progress(sub), progress(main), {}
  state.task = task
  for i, tree in ipairs(task) do
    state.picked[tree] = theirs.picked[tree]
    tokens[i] = tok.tree[tree]
  end
  return tokens
end

-- A sub-agent ended: what it did becomes the orchestrator's, and it may say something.
local function deliver(world, main, sub, _finished)
  local mine, theirs = progress(main).picked, progress(sub).picked
  for tree = 1, world.n_trees do
    mine[tree] = math.max(mine[tree] or 0, theirs[tree] or 0)
  end
  return {}
end

-- r_perf in 0 to 1, and named numbers; success = 1 when the task is solved perfectly.
local function score(world, main)
  local picked, n = progress(main).picked, 0
  for tree = 1, world.n_trees do
    n = n + (picked[tree] or 0)
  end
  return n / world.total, {success = n == world.total and 1 or 0}
end

-- --------------------------------------------------------------------- what would be the best

-- Least critical steps for a perfect result. Here: alone, or one sub-agent a tree, which costs
-- create_subagent (1), the launch (1) and the longest sub-agent.
local function optimum(world)
  local longest = 0
  for tree = 1, world.n_trees do
    longest = math.max(longest, world.apples[tree])
  end
  return {
    critical = math.min(world.total, 2 + longest), serial = world.total, r_perf = 1,
    is = "exact", -- else "expected" over the chance of episodes, or a lower "bound"
    width = world.total <= 2 + longest and 0 or world.n_trees, -- sub-agents it launches at once
  }
end

-- Scripted play, for the warm start, the baselines and the sub-agents: the calls of the next turn.
local function expert(world, agent, style)
  local state, open = progress(agent), {}
  for tree = 1, world.n_trees do
    if has_apples(world, state, tree) then
      open[#open + 1] = tree
    end
  end
  if not agent.main then
    for _, tree in ipairs(state.task) do
      if has_apples(world, state, tree) then
        return {{"pick", tree}}
      end
    end
    return {{"finish"}}
  elseif #open == 0 then
    return {{"finish"}}
  elseif style == "serial" then
    return {{"pick", open[1]}}
  elseif style == "oracle" and optimum(world).critical == world.total then
    return {{"pick", open[1]}}
  elseif not state.created then
    state.created = true
    return {{"create_subagent", 1, "picker"}}
  end
  local calls = {}
  for i, tree in ipairs(open) do
    calls[i] = {"assign_task", 1, {tree}}
  end
  return calls
end

return parl.env {
  name = "my_env",
  summary = "pick all apples of an orchard",
  params = {
    trees_min = {default = 2, min = 1, max = MAX_TREES, doc = "least trees"},
    trees_max = {default = 6, min = 1, max = MAX_TREES, doc = "most trees"},
    apples_max = {default = 4, min = 1, max = MAX_APPLES, doc = "most apples of a tree"},
  },
  roles = {"picker"},
  families = {tree = MAX_TREES, count = MAX_APPLES, word = {"more", "empty", "nothing"}},
  tools = {
    pick = {args = {"tree"}, doc = "pick one apple", run = pick},
  },
  task = {args = {"tree+"}, max = MAX_TREES}, -- what assign_task takes after the sub-agent's name
  styles = {"serial", "greedy_wide", "oracle"},
  limits = {
    context = 160, -- tokens that the orchestrator's context holds
    sub_context = 128,
    sub_steps = MAX_TREES * MAX_APPLES,
    max_width = MAX_TREES, -- sub-agents in one launch
    max_agents = 2,        -- create_subagent calls
    max_turns = 64,
  },
  reset = reset,
  prompt = prompt,
  legal = legal,
  brief = brief,
  deliver = deliver,
  score = score,
  optimum = optimum,
  expert = expert,
}
