-- chart: bar charts, and a question about each: how high is bar 2, which bar is the highest, which
-- the lowest. `look` shows a chart; of a tall one, higher than 9, heights up to the next 4 only.
-- `crop` shows a bar beside the scale. `answer` is due from whoever saw what it rests on. A height
-- is worth parl.count_score, a bar what its height is beside that of the one that was due.
--
-- Optimum: parl.viewing's. Of a tall chart all bars that may be the highest (the lowest) have to be
-- seen closely; how many these are is seen by looking.

local parl <const> = parl
local tok <const> = parl.tok

local MAX_BARS <const>, MAX_HEIGHT <const>, FINE <const>, COARSE <const> = 6, 24, 9, 4
local BAR <const>, GAP <const> = 4, 1 -- pixels of a bar, and behind it; a unit of height is one
local PAPER <const>, INK <const>, TICK <const> = 0xf0f0f0, 0x3060c0, 0x404040
local HEIGHT <const>, HIGHEST <const>, LOWEST <const> = 1, 2, 3

-- Values: bars, then heights from 0.
local H0 <const> = MAX_BARS + 1
local VALUES <const> = {}
for bar = 1, MAX_BARS do VALUES[bar] = "b" .. bar end
for height = 0, MAX_HEIGHT do VALUES[H0 + height] = "h" .. height end

local viewing -- defined below

-- What a look says of a height.
local function get_level(world, height)
  return world.is_tall and (height + COARSE - 1) // COARSE * COARSE or height
end

-- The bar of the chart that is the highest, or the lowest; the first of several.
local function get_end(heights, question)
  local best = 1
  for bar, height in ipairs(heights) do
    if (question == HIGHEST and height > heights[best])
      or (question == LOWEST and height < heights[best]) then
      best = bar
    end
  end
  return best
end

-- A look, and of a tall chart the asked bar, or those that may be the one if they are several.
local function list_close(world, chart)
  local heights <const>, question <const> = world.heights[chart], world.question[chart]
  local best <const> = question > HEIGHT and heights[get_end(heights, question)] or 0
  local views = {{"look"}}
  for bar, height in ipairs(world.is_tall and heights or {}) do
    if (question == HEIGHT and bar == world.asked[chart])
      or (question > HEIGHT and get_level(world, height) == get_level(world, best)) then
      views[#views + 1] = {"crop", bar}
    end
  end
  return (question == HEIGHT or #views > 2) and views or {views[1]}
end

local function reset(rng, params)
  if params.charts_min > params.charts_max then
    error("charts_min exceeds charts_max")
  end
  local world = {n = rng:int(params.charts_min, params.charts_max), heights = {}, question = {},
                 asked = {}, ways = {}, is_tall = params.height_max > FINE,
                 height_max = params.height_max}
  for chart = 1, world.n do
    local heights = {}
    for bar = 1, rng:int(2, params.bars_max) do
      heights[bar] = rng:int(1, params.height_max)
    end
    world.heights[chart], world.question[chart] = heights, rng:int(1, 3)
    world.asked[chart] = rng:int(1, #heights)
    world.ways[chart] = {list_close(world, chart)}
  end
  viewing.plan(world, params, rng)
  return world
end

local function get_size(params)
  return 2 + (BAR + GAP) * params.bars_max, params.height_max + 1
end

-- Bars of these heights, beside a tick every 4.
local function draw_bars(world, heights)
  local rows <const> = world.height_max + 1
  local image <const> = parl.image(2 + (BAR + GAP) * #heights, rows, PAPER)
  for y = rows - COARSE, 0, -COARSE do image:rect(0, y, 1, 1, TICK) end
  for bar, height in ipairs(heights) do
    image:rect(2 + (BAR + GAP) * (bar - 1), rows - height, BAR, height, INK)
  end
  return image
end

local function draw(world, chart, tool, bar)
  local heights <const>, levels = world.heights[chart], {}
  if tool == "crop" then
    return draw_bars(world, {heights[bar] or 0})
  end
  for k, height in ipairs(heights) do levels[k] = get_level(world, height) end
  return draw_bars(world, levels)
end

local function tell(world, chart, tool, bar)
  local heights <const>, tokens = world.heights[chart], {}
  if tool == "crop" then
    return tok.value[H0 + (heights[bar] or 0)]
  end
  for k, height in ipairs(heights) do
    tokens[2 * k - 1], tokens[2 * k] = tok.value[k], tok.value[H0 + get_level(world, height)]
  end
  return tokens
end

local function get_truth(world, chart)
  local heights <const>, question <const> = world.heights[chart], world.question[chart]
  return question == HEIGHT and H0 + heights[world.asked[chart]]
    or get_end(heights, question)
end

viewing = parl.viewing {
  item = "chart", answer = "answer", value = "value", tell = tell, draw = draw, size = get_size,
  truth = get_truth,
  ask = function(world, chart)
    local question <const> = world.question[chart]
    return {tok.question[question], question == HEIGHT and tok.value[world.asked[chart]] or nil}
  end,
  rate = function(world, chart, value)
    local heights <const>, due <const> = world.heights[chart], get_truth(world, chart)
    if due >= H0 then
      return value >= H0 and parl.count_score(value - H0, due - H0) or 0
    end
    return heights[value] and parl.count_score(heights[value], heights[due]) or 0
  end,
  legal = function(world, chart, tool)
    local bars <const> = parl.range(1, #world.heights[chart])
    if tool == "crop" or world.question[chart] > HEIGHT then
      return bars
    end
    return parl.range(H0, H0 + world.height_max)
  end,
}

return parl.env(viewing.declare {
  name = "chart",
  summary = "bar charts: how high is a bar, which is the highest, the lowest",
  params = {
    charts_min = {default = 1, min = 1, max = 8, doc = "least charts of a task"},
    charts_max = {default = 4, min = 1, max = 8, doc = "most charts of a task"},
    bars_max = {default = 4, min = 2, max = MAX_BARS, doc = "most bars of a chart"},
    height_max = {default = 9, min = 2, max = MAX_HEIGHT,
                  doc = "height of the highest bar; above 9, a look is coarse"},
  },
  presets = {
    easy = {charts_max = 2, bars_max = 2},
    hard = {charts_min = 4, charts_max = 8, bars_max = 6, height_max = 24},
  },
  families = {
    chart = 8, bar = MAX_BARS, question = {"height", "highest", "lowest"}, value = VALUES,
    word = {"miss", "unseen", "noted"},
  },
  tools = {
    look = {args = {"chart"}, doc = "look at a chart", run = viewing.view("look")},
    crop = {args = {"chart", "bar"}, doc = "look at a bar", run = viewing.view("crop")},
    answer = {args = {"chart", "value"}, doc = "answer for a chart", run = viewing.answer},
  },
  limits = function(params)
    local views <const> = params.height_max > FINE and 1 + params.bars_max or 1
    return viewing.limits(params, params.charts_max, views, 2 * params.bars_max, 1)
  end,
  reset = reset,
})
