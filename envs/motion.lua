-- motion: clips of four frames. Discs lie on a grid; one of them moves a cell a frame, or none:
-- which way? `look` shows the frames in their order, as four images or, where params.as is clip, as
-- one clip; of a faint clip discs and not where. `binarise` shows the frames of a clip that was
-- looked at in black and white, the faint ones too. `answer` is due from whoever saw them. A way is
-- worth 1, the ways beside it what they are as points near its end, any other 0.
--
-- Optimum: parl.viewing's: a look, if it is faint the binarised frames, and the answer.

local parl <const> = parl
local tok <const> = parl.tok

local FRAMES <const>, SIDE <const>, CELL <const> = 4, 5, 8
local PAPER <const>, DISC <const>, FAINT <const>, LEVEL <const> = 0x202020, 0xe0d040, 0x222222, 0x21
local WAYS <const> = {"still", "e", "se", "s", "sw", "w", "nw", "n", "ne"}
local STILL <const> = 1
local STEP <const> = {
  {0, 0}, {1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1},
}

local viewing -- defined below

-- The place, from 1, of the disc that moves in a frame; nil where it would leave the grid.
local function move(x, y, way, frame)
  x, y = x + STEP[way][1] * (frame - 1), y + STEP[way][2] * (frame - 1)
  return x >= 0 and x < SIDE and y >= 0 and y < SIDE and y * SIDE + x + 1 or nil
end

-- Places of the disc in each frame, then of the others, which are off its path.
local function add_clip(rng, params, world, clip)
  local way <const>, starts, path = rng:int(1, #WAYS), {}, {}
  for place = 1, SIDE * SIDE do
    local x <const>, y <const> = (place - 1) % SIDE, (place - 1) // SIDE
    if move(x, y, way, FRAMES) then starts[#starts + 1] = {x, y} end
  end
  local start <const> = rng:pick(starts)
  for frame = 1, FRAMES do
    path[frame] = move(start[1], start[2], way, frame)
  end
  local others <const> = rng:shuffle(parl.without(parl.range(1, SIDE * SIDE), path))
  world.way[clip], world.path[clip] = way, path
  world.others[clip] = table.move(others, 1, rng:int(0, params.others_max), 1, {})
  world.faint[clip] = rng:chance(params.p_faint)
  world.ways[clip] = {{{"look"}, world.faint[clip] and {"binarise"} or nil}}
end

local function reset(rng, params)
  if params.clips_min > params.clips_max then
    error("clips_min exceeds clips_max")
  end
  local world = {n = rng:int(params.clips_min, params.clips_max), way = {}, path = {}, others = {},
                 faint = {}, ways = {}, as_clip = params.as == "clip"}
  for clip = 1, world.n do
    add_clip(rng, params, world, clip)
  end
  viewing.plan(world, params, rng)
  return world
end

-- Where discs are in a frame, in reading order.
local function list_places(world, clip, frame)
  local places = {world.path[clip][frame], table.unpack(world.others[clip])}
  table.sort(places)
  return places
end

local function draw(world, clip, tool)
  local images <const>, colour <const> = {}, world.faint[clip] and FAINT or DISC
  for frame = 1, FRAMES do
    local image = parl.image(SIDE * CELL, SIDE * CELL, PAPER)
    for _, place in ipairs(list_places(world, clip, frame)) do
      image:disc((place - 1) % SIDE * CELL + 4, (place - 1) // SIDE * CELL + 4, 2, colour)
    end
    images[frame] = tool == "binarise" and image:threshold(LEVEL) or image
  end
  return world.as_clip and {parl.clip(images)} or images
end

local function tell(world, clip, tool)
  local tokens, is_faint <const> = {}, tool == "look" and world.faint[clip]
  for frame = 1, FRAMES do
    tokens[#tokens + 1] = tok.frame[frame]
    for _, place in ipairs(list_places(world, clip, frame)) do
      tokens[#tokens + 1] = is_faint and tok.word.faint or tok.place[place]
    end
  end
  return tokens
end

viewing = parl.viewing {
  item = "clip", answer = "answer", value = "way", tell = tell, draw = draw,
  size = function(params)
    local is_clip <const> = params.as == "clip"
    return SIDE * CELL, SIDE * CELL, is_clip and 1 or FRAMES, is_clip and FRAMES or nil
  end,
  truth = function(world, clip)
    return world.way[clip]
  end,
  rate = function(world, clip, way)
    local due <const> = world.way[clip]
    local near <const> = parl.point_f1({STEP[way]}, {STEP[due]}, 1)
    return (way == due or (way > STILL and due > STILL and near > 0.5)) and near or 0
  end,
}

return parl.env(viewing.declare {
  name = "motion",
  summary = "clips of four frames: which way does one of the discs move",
  params = {
    clips_min = {default = 1, min = 1, max = 16, doc = "least clips of a task"},
    clips_max = {default = 4, min = 1, max = 16, doc = "most clips of a task"},
    others_max = {default = 1, min = 0, max = 6, doc = "most discs that do not move"},
    as = {default = "frames", choice = {"frames", "clip"},
          doc = "what images show of a clip: four, or one of four frames"},
    p_faint = {default = 0.2, min = 0.0, max = 1.0, doc = "chance that a clip is faint"},
  },
  presets = {
    easy = {clips_max = 2, others_max = 0, p_faint = 0.0},
    hard = {clips_min = 4, clips_max = 16, others_max = 6, p_faint = 0.5},
  },
  families = {
    clip = 16, frame = FRAMES, place = SIDE * SIDE, way = WAYS,
    word = {"miss", "unseen", "noted", "faint"},
  },
  tools = {
    look = {args = {"clip"}, doc = "look at a clip", run = viewing.view("look")},
    binarise = {args = {"clip"}, doc = "see a clip in black and white",
                run = viewing.view("binarise")},
    answer = {args = {"clip", "way"}, doc = "say which way", run = viewing.answer},
  },
  limits = function(params)
    return viewing.limits(params, params.clips_max, 2, FRAMES * (2 + params.others_max), 1)
  end,
  reset = reset,
})
