-- look_wide: many pictures, of each the discs of a colour are to be counted. Pictures do not depend
-- on each other, so sub-agents can look at them side by side; how often one has to be looked at is
-- seen by looking: wide search that sees.
--
-- `look` shows a picture from afar: the discs of each quarter, or that it is crowded; `crop` shows
-- the discs of a quarter. `note` gives the number, is due from whoever saw all crowded quarters,
-- and is worth parl.count_score. The orchestrator's context holds the notes of all pictures, and
-- not all pictures.
--
-- Optimum: parl.viewing's, w = 2 + crowded quarters of a picture, up to 6: exact.

local parl <const> = parl
local tok <const> = parl.tok

local COLOURS <const> = {"red", "green", "blue", "grey"}
local RGB <const> = {0xe02020, 0x20c040, 0x3050f0, 0xc0c0c0}
local PAPER <const>, CROWD <const>, CELL <const>, FEW <const>, MOST <const> =
  0x101010, 0x707070, 8, 2, 4
local MAX_VIEWS <const> = 5 -- of a picture that is crowded everywhere

local viewing -- defined below

local function add_picture(rng, params, world, picture)
  local quarters, way, asked <const>, n = {}, {{"look"}}, rng:int(1, #COLOURS), 0
  for quarter = 1, 4 do
    local is_crowded <const> = rng:chance(params.p_crowd)
    quarters[quarter] = {}
    for i = 1, is_crowded and rng:int(FEW + 1, MOST) or rng:int(0, FEW) do
      local colour <const> = rng:int(1, #COLOURS)
      quarters[quarter][i], n = colour, n + (colour == asked and 1 or 0)
    end
    if is_crowded then way[#way + 1] = {"crop", quarter} end
  end
  world.discs[picture], world.asked[picture], world.number[picture] = quarters, asked, n
  world.ways[picture] = {way}
end

local function get_width(params)
  return params.width > 0 and params.width or params.pictures_max
end

local function reset(rng, params)
  if params.pictures_min > params.pictures_max then
    error("pictures_min exceeds pictures_max")
  end
  local world = {n = rng:int(params.pictures_min, params.pictures_max), width = get_width(params),
                 discs = {}, asked = {}, number = {}, ways = {}}
  for picture = 1, world.n do
    add_picture(rng, params, world, picture)
  end
  viewing.plan(world, params, rng)
  return world
end

-- A picture has 2 x 2 quarters of 2 x 2 cells, which discs fill row by row. From afar a crowded one
-- is a grey block.
local function draw_quarter(image, x, y, discs, is_far)
  if is_far and #discs > FEW then
    image:rect(x + 2, y + 2, 2 * CELL - 4, 2 * CELL - 4, CROWD)
    return
  end
  for i, colour in ipairs(discs) do
    image:disc(x + (i - 1) % 2 * CELL + 4, y + (i - 1) // 2 * CELL + 4, 2, RGB[colour])
  end
end

local function draw(world, picture, tool, argument)
  local side <const> = 2 * CELL * (tool == "look" and 2 or 1)
  local image <const> = parl.image(side, side, PAPER)
  for quarter, discs in ipairs(world.discs[picture]) do
    if tool == "look" then
      local x <const>, y <const> = (quarter - 1) % 2 * 2 * CELL, (quarter - 1) // 2 * 2 * CELL
      draw_quarter(image, x, y, discs, true)
    elseif quarter == argument then
      draw_quarter(image, 0, 0, discs)
    end
  end
  return image
end

local function tell(world, picture, tool, argument)
  local tokens = {}
  for quarter, discs in ipairs(world.discs[picture]) do
    if #discs > 0 and (tool == "look" or quarter == argument) then
      tokens[#tokens + 1] = tok.quarter[quarter]
      if tool == "look" and #discs > FEW then
        tokens[#tokens + 1] = tok.word.crowd
      else
        for _, colour in ipairs(discs) do tokens[#tokens + 1] = tok.colour[colour] end
      end
    end
  end
  return tokens
end

viewing = parl.viewing {
  item = "picture", answer = "note", value = "count", tell = tell, draw = draw,
  size = function() return 4 * CELL, 4 * CELL end,
  ask = function(world, picture)
    return {tok.colour[world.asked[picture]]}
  end,
  truth = function(world, picture)
    return world.number[picture] + 1
  end,
  rate = function(world, picture, count)
    return parl.count_score(count - 1, world.number[picture])
  end,
}

local COUNTS <const> = {}
for n = 0, 4 * MOST do COUNTS[n + 1] = "n" .. n end

return parl.env(viewing.declare {
  name = "look_wide",
  summary = "many pictures that sub-agents look at side by side, closer where they are crowded",
  params = {
    pictures_min = {default = 4, min = 1, max = 128, doc = "least pictures of a task"},
    pictures_max = {default = 12, min = 1, max = 128, doc = "most pictures of a task"},
    p_crowd = {default = 0.2, min = 0.0, max = 1.0, doc = "chance that a quarter is crowded"},
    width = {default = 0, min = 0, max = 128,
             doc = "sub-agents launched in one turn; 0: pictures_max"},
  },
  presets = {
    easy = {pictures_min = 2, pictures_max = 4, p_crowd = 0.0},
    hard = {pictures_min = 12, pictures_max = 24, p_crowd = 0.4},
    huge = {pictures_min = 64, pictures_max = 128},
    narrow = {pictures_min = 8, width = 4}, -- sub-agents have to share
  },
  -- More than 32 pictures have a larger vocabulary: other models than the usual one.
  families = function(params)
    return {
      picture = params.pictures_max > 32 and 128 or 32, quarter = 4, colour = COLOURS,
      count = COUNTS, word = {"miss", "unseen", "noted", "crowd"},
    }
  end,
  tools = {
    look = {args = {"picture"}, doc = "look at a picture from afar", run = viewing.view("look")},
    crop = {args = {"picture", "quarter"}, doc = "look at a quarter", run = viewing.view("crop")},
    note = {args = {"picture", "count"}, doc = "note how many there are", run = viewing.answer},
  },
  limits = function(params)
    local width <const> = get_width(params)
    local limits = viewing.limits(params, params.pictures_max, MAX_VIEWS, 4 * (1 + FEW), 1,
                                          width)
    limits.context = 64 + 12 * params.pictures_max
    return limits
  end,
  reset = reset,
})
