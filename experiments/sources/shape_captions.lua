-- shape_captions: the pictures of shapes.lua, or the same scene in words, with what is in them: how
-- many things, and for each its place and what it is; or one of the environment's own questions
-- with its answer; or how many there are of each colour, asked in any order.
--
-- A scene is a task of shapes.lua with one picture, so whoever learnt from these documents has seen
-- pictures, questions and answers as the environment gives them. A caption's places are in order.

local parl <const> = parl
local tok <const> = parl.tok

local shapes <const> = parl.include "shapes"
local SIDE <const> = 4 -- cells of the largest picture: places are counted as for one
local KINDS <const>, COLOURS <const> = {"disc", "square", "cross"}, {"red", "green", "blue", "grey"}
local QUESTION <const> = {how_many = 1, where = 2, what = 3}
local MOST_DRAWS <const> = 200

local function name_place(place)
  return ("abcd"):sub((place - 1) // SIDE + 1, (place - 1) // SIDE + 1) .. (place - 1) % SIDE + 1
end

local function name_thing(thing)
  return COLOURS[(thing - 1) % #COLOURS + 1] .. "_" .. KINDS[(thing - 1) // #COLOURS + 1]
end

-- Places that are not empty, in order.
local function list_places(world)
  local places <const> = {}
  for place in pairs(world.things[1]) do places[#places + 1] = place end
  table.sort(places)
  return places
end

-- The scene as it is read: a picture; a place and a thing after the other; or nothing of it.
local function show(world, params)
  if params.as == "image" then return {world.image[1]} end
  local tokens <const> = {}
  if params.as == "nothing" then return tokens end
  for _, place in ipairs(list_places(world)) do
    tokens[#tokens + 1] = tok.value[name_place(place)]
    tokens[#tokens + 1] = tok.value[name_thing(world.things[1][place])]
  end
  return tokens
end

local function describe(world)
  local places <const> = list_places(world)
  local tokens <const> = {tok.value["n" .. #places]}
  for _, place in ipairs(places) do
    tokens[#tokens + 1] = tok.value[name_place(place)]
    tokens[#tokens + 1] = tok.value[name_thing(world.things[1][place])]
  end
  return tokens
end

-- Behind the scene; or before it, as the environment asks, which names the picture with each.
local function ask(world, scene, is_before)
  local question <const>, about <const> = world.question[1], world.about[1]
  local asked <const> = {tok.question[question],
                         tok[question == QUESTION.how_many and "colour" or "value"][about]}
  local read <const> = is_before and {tok.picture[1], asked[1], asked[2]} or scene
  table.move(is_before and scene or asked, 1, #(is_before and scene or asked), #read + 1, read)
  read[#read + 1] = is_before and tok.picture[1] or nil
  return read, {tok.value[world.due[1]]}
end

-- {read, learnt, read, learnt, ...}: each colour's number behind its question.
local function count(rng, world, scene)
  local n, colours, lists <const> = {0, 0, 0, 0}, {1, 2, 3, 4}, {}
  for _, thing in pairs(world.things[1]) do
    n[(thing - 1) % #COLOURS + 1] = n[(thing - 1) % #COLOURS + 1] + 1
  end
  rng:shuffle(colours)
  for i, colour in ipairs(colours) do
    local read <const> = i == 1 and scene or {}
    read[#read + 1], read[#read + 2] = tok.question.how_many, tok.colour[colour]
    lists[#lists + 1], lists[#lists + 2] = read, {tok.value["n" .. n[colour]]}
  end
  return table.unpack(lists)
end

return parl.source {
  name = "shape_captions",
  summary = "scenes of shapes.lua with captions, or with a question and its answer",
  params = {
    as = {default = "image", choice = {"image", "words", "nothing"},
          doc = "what is read; nothing: what can be said blindly"},
    ability = {default = "caption", choice = {"caption", "counts", "how_many", "where", "what"},
               doc = "what is learnt: the whole scene; the number of each colour; or the answer "
                     .. "to a question of this kind"},
    asked = {default = "behind", choice = {"behind", "before"},
             doc = "where a question stands; before: as in the environment's tasks"},
    side = {default = 3, min = 2, max = SIDE, doc = "cells on a side, as of the environment"},
    things_max = {default = 5, min = 2, max = 9, doc = "most things of a scene"},
  },
  document = function(rng, params)
    local wanted <const> = QUESTION[params.ability]
    local task <const> = {pictures_min = 1, pictures_max = 1, side = params.side,
                          things_max = params.things_max}
    local world
    for _ = 1, MOST_DRAWS do
      world = shapes.reset(rng, task)
      if wanted == nil or world.question[1] == wanted then break end
    end
    if params.ability == "counts" then return count(rng, world, show(world, params)) end
    if wanted == nil then return show(world, params), describe(world) end
    return ask(world, show(world, params), params.asked == "before")
  end,
}
