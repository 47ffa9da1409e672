-- swarm_mix: one policy, several kinds of task. Each task is drawn from one of the other
-- environments by stated weights, and the report tells the families apart: a mean over a mixture
-- hides the family that fails.
--
-- The parts are the very files beside this one, with their presets. They share one vocabulary:
-- things that can be assigned are items, small numbers are counts, and tools of the same name are
-- one tool. Prompts and briefs begin with the name of the part. Limits are the largest of the parts
-- that have a weight; the document of long_read is made longer than that context.
--
-- Optimum: the part's own.

local parl <const> = parl
local tok <const> = parl.tok

local NAMES <const> = {
  "batch_download", "chain", "dag", "deep_search", "long_read", "lure", "wide_search",
}
local PARTS <const> = {}
for _, name in ipairs(NAMES) do
  PARTS[name] = parl.include(name)
end

local FAMILIES <const> = {
  item = 64, branch = "item", link = "item", node = "item", page = "item", row = "item",
  count = 24, effort = "count", size = "count", stream = "count", topic = "count",
  value = 64,
  kind = {"search", "read", "code", "test", "write"},
  part = NAMES,
}
local WIDTH <const> = 16

-- --------------------------------------------------------------------------------- the union

-- Words of all parts, each once.
local function join_words()
  local words, is_known = {}, {}
  for _, name in ipairs(NAMES) do
    local families = PARTS[name].families
    if type(families) == "function" then
      families = families({rows_max = 1})
    end
    for _, word in ipairs(families.word) do
      if not is_known[word] then
        words[#words + 1], is_known[word] = word, true
      end
    end
  end
  return words
end

local function join_roles()
  local roles, is_known = {}, {}
  for _, name in ipairs(NAMES) do
    for _, role in ipairs(PARTS[name].roles) do
      if not is_known[role] then
        roles[#roles + 1], is_known[role] = role, true
      end
    end
  end
  return roles
end

-- "node+" as "item+".
local function resolve(argument)
  local name, many = argument:match("^([a-z]+)(%+?)$")
  local family = FAMILIES[name]
  return (type(family) == "string" and family or name) .. many
end

-- A tool that calls the one of the task's part; it finds nothing if that has none of the name.
local function new_tool(name, tool)
  local args = {}
  for i, argument in ipairs(tool.args) do
    args[i] = resolve(argument)
  end
  local function run(world, agent, ...)
    for tool_name, own in pairs(PARTS[world.part].tools) do
      if tool_name == name then
        return own.run(world.task, agent, ...)
      end
    end
    return {tok.word.miss}
  end
  return {args = args, max = tool.max or 16, doc = tool.doc, run = run}
end

local function join_tools()
  local tools = {}
  for _, part in ipairs(NAMES) do
    for name, tool in pairs(PARTS[part].tools) do
      local joined = tools[name] or new_tool(name, tool)
      for i, argument in ipairs(tool.args) do
        if joined.args[i] ~= resolve(argument) or #joined.args ~= #tool.args then
          error("tool " .. name .. " of " .. part .. " has other arguments than its namesake")
        end
      end
      joined.max, tools[name] = math.max(joined.max, tool.max or 16), joined
    end
  end
  return tools
end

-- -------------------------------------------------------------------------------- parameters

-- Parameters of a part: its defaults, its preset, and what the mixture asks for.
local function get_own_params(name, params)
  local part, own = PARTS[name], {}
  for key, definition in pairs(part.params) do
    own[key] = definition.default
  end
  local preset = name == "lure" and params.trap or params.difficulty
  for key, setting in pairs(part.presets) do
    if key == preset then
      for field, value in pairs(setting) do
        own[field] = value
      end
    end
  end
  if name == "wide_search" then
    own.width = WIDTH
  end
  return own
end

local LIMITS <const> = {
  "context", "max_agents", "max_turns", "max_width", "sub_context", "sub_steps",
}

local function raise_limits(limits, more)
  for _, key in ipairs(LIMITS) do
    limits[key] = math.max(limits[key] or 0, more[key])
  end
end

-- The document of long_read, longer than the context of all other parts.
local function get_document(params, context)
  local own = get_own_params("long_read", params)
  own.context = math.max(context, PARTS.long_read.limits(own).context)
  own.pairs = math.max(own.pairs, math.min(32, own.context // (2 * own.pages_min)))
  return own
end

local function limits_of(params)
  local limits = {}
  for _, name in ipairs(NAMES) do
    if params[name] > 0 and name ~= "long_read" then
      raise_limits(limits, PARTS[name].limits(get_own_params(name, params)))
    end
  end
  if params.long_read > 0 or not limits.context then
    raise_limits(limits, PARTS.long_read.limits(get_document(params, limits.context or 0)))
  end
  return limits
end

-- ---------------------------------------------------------------------------------- the world

local function ready()
  for _, name in ipairs(NAMES) do
    if PARTS[name].ready then
      PARTS[name].ready()
    end
  end
end

local function pick_part(rng, params)
  local total = 0
  for _, name in ipairs(NAMES) do
    total = total + params[name]
  end
  if total <= 0 then
    error("every weight is 0")
  end
  local left, last = rng:uniform() * total, nil
  for _, name in ipairs(NAMES) do
    if params[name] > 0 then
      left, last = left - params[name], name
      if left < 0 then
        break
      end
    end
  end
  return last
end

local function reset(rng, params)
  local part = pick_part(rng, params)
  local own = part == "long_read" and get_document(params, limits_of(params).context)
    or get_own_params(part, params)
  return {part = part, task = PARTS[part].reset(rng, own)}
end

-- What a callback of the part says, a list of tokens or the tokens themselves, behind the part's
-- name.
local function introduce(world, first, ...)
  if type(first) ~= "table" then
    return tok.part[world.part], first, ...
  end
  return table.move(first, 1, #first, 2, {tok.part[world.part]})
end

local function has_tool(part, tool)
  for name in pairs(PARTS[part].tools) do
    if name == tool then
      return true
    end
  end
  return tool == "assign_task"
end

local function legal(world, agent, tool, slot, taken)
  if not has_tool(world.part, tool) then
    return {}
  end
  return PARTS[world.part].legal(world.task, agent, tool, slot, taken)
end

local function new_params()
  local params = {
    difficulty = {choice = {"default", "easy", "hard"}, default = "default",
                  doc = "preset of the parts that have one of that name"},
    trap = {choice = {"default", "empty", "duplicate", "padding", "dominant", "all"},
            default = "all", doc = "preset of lure"},
  }
  for _, name in ipairs(NAMES) do
    params[name] = {default = 1.0, min = 0.0, max = 1000.0, doc = "weight of " .. name}
  end
  return params
end

-- A preset that has the named parts only, in equal shares.
local function only(...)
  local setting = {}
  for _, name in ipairs(NAMES) do
    setting[name] = 0.0
  end
  for _, name in ipairs({...}) do
    setting[name] = 1.0
  end
  return setting
end

FAMILIES.word = join_words()

return parl.env {
  name = "swarm_mix",
  summary = "a stated mixture of the other environments, judged family by family",
  params = new_params(),
  presets = {
    wide_chain = only("wide_search", "chain"), -- one half pays for launching, the other never
    search = only("wide_search", "deep_search"),
    work = only("dag", "batch_download", "long_read"),
  },
  roles = join_roles(),
  families = FAMILIES,
  tools = join_tools(),
  task = {args = {"item+"}, max = 16},
  styles = {"serial", "narrow", "greedy_wide", "oracle", "random"},
  limits = limits_of,
  ready = ready,
  reset = reset,
  prompt = function(world)
    return introduce(world, PARTS[world.part].prompt(world.task))
  end,
  legal = legal,
  brief = function(world, sub, task, main)
    return introduce(world, PARTS[world.part].brief(world.task, sub, task, main))
  end,
  deliver = function(world, main, sub, finished)
    return PARTS[world.part].deliver(world.task, main, sub, finished)
  end,
  score = function(world, main)
    return PARTS[world.part].score(world.task, main)
  end,
  details = function(world, main)
    local part = PARTS[world.part]
    return part.details and part.details(world.task, main) or {}
  end,
  optimum = function(world)
    return PARTS[world.part].optimum(world.task)
  end,
  expert = function(world, agent, style)
    return PARTS[world.part].expert(world.task, agent, style)
  end,
  family = function(world)
    return world.part
  end,
}
