-- shapes: pictures of coloured things on a grid, and a question about each: how many are red, where
-- is the blue disc, what is at b3.
--
-- `look` shows a picture; one of more than 3 cells a side from afar, as places and not things;
-- `crop` shows a quarter; `count` binarises by a colour and counts the parts: what it says is found
-- in the pixels. Each is a step, on a picture that was looked at. `answer` is due from whoever saw
-- what it rests on. A number is worth parl.count_score, a place parl.point_f1, a thing half for its
-- kind and half for its colour.
--
-- Optimum: parl.viewing's. Of a large picture `count` is a step where crops are one a quarter.

local parl <const> = parl
local tok <const> = parl.tok

local KINDS <const>, COLOURS <const> = {"disc", "square", "cross"}, {"red", "green", "blue", "grey"}
local RGB <const> = {0xe02020, 0x20c040, 0x3050f0, 0xc0c0c0}
local PAPER <const>, FAR <const>, CELL <const> = 0x101010, 0x808080, 8
local NOISE <const>, NEAR <const> = 12, 40 -- a channel's, and how far that may move it
local MAX_SIDE <const>, MAX_THINGS <const> = 4, 9
local N_THINGS <const> = #KINDS * #COLOURS
local HOW_MANY <const>, WHERE <const>, WHAT <const> = 1, 2, 3
local QUESTIONS <const> = {"how_many", "where", "what"}
local ASKS <const> = {how_many = HOW_MANY, where = WHERE, what = WHAT}

-- Values: numbers from 0, places by rows, things by kinds.
local NUMBER <const>, PLACE <const> = 1, MAX_THINGS + 1
local THING <const> = PLACE + MAX_SIDE * MAX_SIDE
local VALUES <const> = {}
for n = 0, MAX_THINGS do VALUES[NUMBER + n] = "n" .. n end
for row in ("abcd"):gmatch(".") do
  for column = 1, MAX_SIDE do VALUES[#VALUES + 1] = row .. column end
end
for _, kind in ipairs(KINDS) do
  for _, colour in ipairs(COLOURS) do VALUES[#VALUES + 1] = colour .. "_" .. kind end
end

local viewing -- defined below

-- ---------------------------------------------------------------------------------- the world

-- Column and row, from 0, of a place; the quarter it is in; kind and colour of a thing.
local function locate(place)
  return (place - 1) % MAX_SIDE, (place - 1) // MAX_SIDE
end

local function get_quarter(world, place)
  local half <const>, x, y = (world.side + 1) // 2, locate(place)
  return y // half * 2 + x // half + 1
end

local function split_thing(thing)
  return (thing - 1) // #COLOURS + 1, (thing - 1) % #COLOURS + 1
end

-- Things lie in their cells, a pixel off at most, and do not touch.
local function draw_things(rng, world, things)
  local image <const> = parl.image(world.side * CELL, world.side * CELL, PAPER)
  for place, thing in pairs(things) do
    local x, y = locate(place)
    local kind, colour = split_thing(thing)
    x, y, colour = x * CELL + rng:int(1, 2), y * CELL + rng:int(1, 2), RGB[colour]
    if kind == 1 then
      image:disc(x + 2, y + 2, 2, colour)
    elseif kind == 2 then
      image:rect(x, y, 4, 4, colour)
    else
      image:rect(x, y + 1, 5, 2, colour):rect(x + 1, y, 2, 5, colour)
    end
  end
  return image:noise(rng, NOISE)
end

-- Things by place; what is asked about the first of them, and the answer. Where a thing is asked
-- for, nothing else is like it.
local function add_picture(rng, params, world, picture)
  local question <const>, places, things = world.asks or rng:int(1, 3), {}, {}
  for place = 1, MAX_SIDE * MAX_SIDE do
    if math.max(locate(place)) < world.side then places[#places + 1] = place end
  end
  rng:shuffle(places)
  for i = 1, rng:int(2, math.min(params.things_max, #places)) do
    local thing <const> = rng:int(1, N_THINGS)
    local is_like <const> = question == WHERE and thing == things[places[1]]
    things[places[i]] = is_like and thing % N_THINGS + 1 or thing
  end
  local asked <const>, n, close = places[1], 0, {{"look"}}
  local _, colour = split_thing(things[asked])
  for quarter = 1, world.side > 3 and 4 or 0 do
    local is_needed = false
    for place in pairs(things) do
      is_needed = is_needed or (get_quarter(world, place) == quarter
                                and (question == HOW_MANY or place == asked))
    end
    if is_needed then close[#close + 1] = {"crop", quarter} end
  end
  for _, thing in pairs(things) do
    n = n + (select(2, split_thing(thing)) == colour and 1 or 0)
  end
  local is_number <const>, at <const> = question == HOW_MANY, PLACE + asked
  local what <const> = THING + things[asked]
  world.things[picture], world.question[picture] = things, question
  world.about[picture] = is_number and colour or question == WHERE and what or at
  world.due[picture] = is_number and NUMBER + n or question == WHERE and at or what
  world.ways[picture] = {close, is_number and {{"look"}, {"count", colour}} or nil}
end

local function reset(rng, params)
  if params.pictures_min > params.pictures_max then
    error("pictures_min exceeds pictures_max")
  end
  local world = {n = rng:int(params.pictures_min, params.pictures_max), side = params.side,
                 things = {}, question = {}, about = {}, due = {}, ways = {}, image = {},
                 asks = ASKS[params.ability] or params.ability == "each" and rng:int(1, 3) or nil}
  for picture = 1, world.n do add_picture(rng, params, world, picture) end
  for picture = 1, world.n do
    world.image[picture] = draw_things(rng, world, world.things[picture])
  end
  viewing.plan(world, params, rng)
  return world
end

-- ------------------------------------------------------------------------------------- views

local function tell(world, picture, tool, argument)
  local tokens, is_far <const> = {}, tool == "look" and world.side > 3
  if tool == "count" then
    local parts <const> = world.image[picture]:select(RGB[argument], NEAR):components()
    return {tok.value[NUMBER + math.min(#parts, MAX_THINGS)]}
  end
  for place, thing in pairs(world.things[picture]) do
    if tool == "look" or get_quarter(world, place) == argument then
      tokens[#tokens + 1] = tok.value[PLACE + place]
      tokens[#tokens + 1] = not is_far and tok.value[THING + thing] or nil
    end
  end
  return tokens
end

local function draw(world, picture, tool, quarter)
  local image <const>, half <const> = world.image[picture], (world.side + 1) // 2 * CELL
  if tool == "crop" then
    local x <const>, y <const> = (quarter - 1) % 2 * half, (quarter - 1) // 2 * half
    local most <const> = world.side * CELL
    return image:crop(x, y, math.min(half, most - x), math.min(half, most - y))
  elseif tool == "look" and world.side > 3 then
    local dots <const> = parl.image(2 * half, 2 * half, PAPER)
    for place in pairs(world.things[picture]) do
      local x, y = locate(place)
      dots:rect(x * CELL + 3, y * CELL + 3, 2, 2, FAR)
    end
    return dots
  end
  return tool == "look" and image or nil
end

local function rate(world, picture, value)
  local due <const>, question <const> = world.due[picture], world.question[picture]
  if question == HOW_MANY then
    return value <= PLACE and parl.count_score(value - NUMBER, due - NUMBER) or 0
  elseif question == WHAT then
    return value > THING
      and parl.text_score({split_thing(value - THING)}, {split_thing(due - THING)}) or 0
  end
  return value > PLACE and value <= THING
    and parl.point_f1({{locate(value - PLACE)}}, {{locate(due - PLACE)}}, 0.5) or 0
end

viewing = parl.viewing {
  item = "picture", answer = "answer", value = "value", tell = tell, draw = draw, rate = rate,
  size = function(params) return params.side * CELL, params.side * CELL end,
  truth = function(world, picture) return world.due[picture] end,
  ability = function(world) return world.asks and QUESTIONS[world.asks] end,
  ask = function(world, picture)
    local question <const>, about <const> = world.question[picture], world.about[picture]
    return {tok.question[question], tok[question == HOW_MANY and "colour" or "value"][about]}
  end,
  legal = function(world, picture, tool)
    local first <const> = ({NUMBER, PLACE + 1, THING + 1})[world.question[picture]]
    local last <const> = ({PLACE, THING, #VALUES})[world.question[picture]]
    return tool == "answer" and parl.range(first, last) or nil
  end,
}

return parl.env(viewing.declare {
  name = "shapes",
  summary = "pictures of coloured things: how many, where, what",
  params = {
    ability = {default = "any", choice = {"any", "each", "how_many", "where", "what"},
               doc = "questions of a task: any; of one kind, each as often; of this kind"},
    pictures_min = {default = 1, min = 1, max = 8, doc = "least pictures of a task"},
    pictures_max = {default = 4, min = 1, max = 8, doc = "most pictures of a task"},
    side = {default = 3, min = 2, max = MAX_SIDE,
            doc = "cells on a side; of more than 3 a look shows where things are, and not which"},
    things_max = {default = 5, min = 2, max = MAX_THINGS, doc = "most things of a picture"},
  },
  presets = {
    easy = {pictures_max = 2, things_max = 3},
    hard = {pictures_min = 4, pictures_max = 8, side = 4, things_max = 9},
  },
  families = {
    picture = 8, question = QUESTIONS, quarter = 4, colour = COLOURS,
    value = VALUES, word = {"miss", "unseen", "noted"},
  },
  tools = {
    look = {args = {"picture"}, doc = "look at a picture", run = viewing.view("look")},
    crop = {args = {"picture", "quarter"}, doc = "look at a quarter", run = viewing.view("crop")},
    count = {args = {"picture", "colour"}, doc = "binarise by a colour and count the parts",
             run = viewing.view("count")},
    answer = {args = {"picture", "value"}, doc = "answer for a picture", run = viewing.answer},
  },
  limits = function(params)
    return viewing.limits(params, params.pictures_max, params.side > 3 and 5 or 1,
                          2 * params.things_max, 1)
  end,
  reset = reset,
})
