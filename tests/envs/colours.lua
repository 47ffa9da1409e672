-- colours: what is on a picture is in its pixels alone.
--
-- Each of the items 1..n is a picture of one colour, of two, with noise. `look` shows an item;
-- `say` names its colour, once. r_perf is the share of items named rightly: without looking a half,
-- however one plays. A sub-agent is shown the items of its task and says what it sees; its message
-- shows them again. `words` gives the same scene as tokens. Styles: "serial", "wide", and "guess",
-- who does not look.
local shades = { 0xc02020, 0x2040c0 }

local function draw(rng, w, h, shade)
  return parl.image(w, h, 0x606060):rect(1, 1, w - 2, h - 2, shades[shade]):noise(rng, 60)
end

local function draw_clip(rng, w, h, shade, frames)
  local list = {}
  for k = 1, frames do list[k] = draw(rng, w, h, shade) end
  return frames > 1 and parl.clip(list) or list[1]
end

-- Tokens of an item: its number, and what it looks like.
local function show(world, k)
  return parl.tok.item[k], world.words and parl.tok.shade[world.shade[k]] or world.picture[k]
end

local function show_all(world, items)
  local list = {}
  for _, k in ipairs(items) do
    local name, seen = show(world, k)
    list[#list + 1] = name
    list[#list + 1] = seen
  end
  return list
end

local function find_open(world, agent)
  local s, list = agent.state, {}
  for _, k in ipairs(s.task or parl.range(1, world.n)) do
    if not (s.said and s.said[k]) then list[#list + 1] = k end
  end
  return list
end

local function say(agent, k, shade)
  local s = agent.state
  s.said = s.said or {}
  s.said[k] = s.said[k] or shade
end

return parl.env {
  name = "colours",
  summary = "pictures of two colours, to be named",
  params = {
    n = { default = 1, min = 1, max = 4, doc = "items" },
    width = { default = 6, min = 3, max = 16, doc = "pixels" },
    prompted = { default = true, doc = "the prompt shows the items; else `look` does" },
    frames = { default = 1, min = 1, max = 4, doc = "more: a picture is a clip of noisy frames" },
    words = { default = false, doc = "tokens instead of pictures" },
  },
  vision = function(params)
    return { width = 16, height = 8, frames = params.frames > 1 and params.frames or nil }
  end,
  roles = { "eye" },
  families = { item = 4, shade = { "red", "blue" } },
  tools = {
    look = { args = { "item" }, doc = "shows an item", run = function(world, _, k)
      if k > world.n then return parl.tok.item[k] end
      return show(world, k)
    end },
    say = { args = { "item", "shade" }, doc = "names a colour", run = function(_, agent, k, shade)
      say(agent, k, shade)
      return parl.tok.item[k]
    end },
  },
  task = { args = { "item+" }, max = 4 },
  styles = { "serial", "wide", "guess" },
  limits = {
    context = 96, sub_context = 64, sub_steps = 6, max_width = 4, max_agents = 1, max_turns = 8,
  },
  reset = function(rng, params)
    local world = { n = params.n, words = params.words, prompted = params.prompted }
    world.shade, world.picture = {}, {}
    for k = 1, world.n do
      world.shade[k] = rng:int(1, #shades)
      world.picture[k] = draw_clip(rng, params.width, 8, world.shade[k], params.frames)
    end
    return world
  end,
  prompt = function(world)
    return world.prompted and show_all(world, parl.range(1, world.n)) or { parl.tok.item[world.n] }
  end,
  brief = function(world, sub, task)
    local mine = {}
    for _, k in ipairs(task) do
      if k <= world.n then mine[#mine + 1] = k end
    end
    sub.state.task = mine
    return show_all(world, mine)
  end,
  legal = function(world, agent, tool, slot)
    if slot == 1 and tool ~= "look" then return find_open(world, agent) end
    if slot == 1 then return parl.range(1, world.n) end
    return nil
  end,
  deliver = function(world, main, sub)
    local said = sub.state.said or {}
    local items = {}
    for _, k in ipairs(sub.state.task) do
      if said[k] then
        say(main, k, said[k])
        items[#items + 1] = k
      end
    end
    return show_all(world, items)
  end,
  score = function(world, main)
    local right = 0
    for k = 1, world.n do
      if main.state.said and main.state.said[k] == world.shade[k] then right = right + 1 end
    end
    return right / world.n, { success = right == world.n and 1 or 0 }
  end,
  optimum = function(world)
    local serial = world.prompted and world.n or 2 * world.n
    return { critical = math.min(serial, 3), serial = serial, r_perf = 1 }
  end,
  summarize = function(world, main) return show_all(world, find_open(world, main)) end,
  expert = function(world, agent, style)
    local open, s = find_open(world, agent), agent.state
    if #open == 0 then return "finish" end
    local k = open[1]
    local shade = style == "guess" and agent.rng:int(1, #shades) or world.shade[k]
    if not world.prompted and agent.main and style ~= "guess" and not s.looked then
      s.looked = true
      return "look", k
    end
    s.looked = nil
    if style ~= "wide" or not agent.main then return "say", k, shade end
    s.turn = (s.turn or 0) + 1
    if s.turn == 1 then return "create_subagent", 1, "eye" end
    return "launch", 1, open
  end,
}
