-- shape_captions: the pictures of shapes.lua, or the same scene in words, with what is in them: how
-- many things, and for each its place and what it is; or one of the environment's own questions
-- with its answer; or how many there are of each colour, asked in any order.
--
-- A scene is a task of shapes.lua with one picture, so whoever learnt from these documents has seen
-- pictures, questions and answers as the environment gives them. A caption's places are in order.
--
-- Where the recipe's `augment` says so, the picture is cropped, turned round and scaled, cell by
-- cell, and what is said is said of what is left. A crop that loses what is asked about is not
-- taken.

local parl <const> = parl
local tok <const> = parl.tok

local shapes <const> = parl.include "shapes"
local SIDE <const> = shapes.params.side.max -- of the largest picture: places are counted as for one
local COLOURS <const>, VALUES <const> = shapes.families.colour, shapes.families.value
local PLACE <const> = shapes.params.things_max.max + 1 -- values before the places: numbers from 0
local THING <const> = PLACE + SIDE * SIDE -- and before the things
local QUESTION <const> = {how_many = 1, where = 2, what = 3}
local MOST_DRAWS <const> = 200

local function name_place(place)
  return VALUES[PLACE + place]
end

local function name_thing(thing)
  return VALUES[THING + thing]
end

-- Column and row, from 0, of a place of the task.
local function locate(place)
  return (place - 1) % SIDE, (place - 1) // SIDE
end

-- The cell that an edge of a box begins; scaled, boxes are of no whole number of pixels.
local function get_cell(from, to)
  return math.floor(from / (to - from) + 0.5)
end

-- The picture as it is augmented: what is at which place of it, and where places came to lie.
local function see(world, augment)
  local image <const>, things <const>, moved <const> = world.image[1], {}, {}
  local width <const>, height <const> = image:size()
  local cell <const> = width // world.side
  local t <const> = augment(width, height, cell)
  for place, thing in pairs(world.things[1]) do
    local column <const>, row <const> = locate(place)
    local left <const>, top <const> = column * cell, row * cell
    local x0 <const>, y0 <const>, x1 <const>, y1 <const> = t:box(left, top, left + cell, top + cell)
    if x0 ~= nil then
      moved[place] = get_cell(y0, y1) * SIDE + get_cell(x0, x1) + 1
      things[moved[place]] = thing
    end
  end
  return {image = image, transform = t, things = things, moved = moved}
end

-- Places that are not empty, in order.
local function list_places(scene)
  local places <const> = {}
  for place in pairs(scene.things) do places[#places + 1] = place end
  table.sort(places)
  return places
end

-- The scene as it is read: a picture; a place and a thing after the other; or nothing of it.
local function show(scene, params)
  if params.as == "image" then return {scene.transform:image(scene.image)} end
  local tokens <const> = {}
  if params.as == "nothing" then return tokens end
  for _, place in ipairs(list_places(scene)) do
    tokens[#tokens + 1] = tok.value[name_place(place)]
    tokens[#tokens + 1] = tok.value[name_thing(scene.things[place])]
  end
  return tokens
end

local function describe(scene)
  local places <const> = list_places(scene)
  local tokens <const> = {tok.value["n" .. #places]}
  for _, place in ipairs(places) do
    tokens[#tokens + 1] = tok.value[name_place(place)]
    tokens[#tokens + 1] = tok.value[name_thing(scene.things[place])]
  end
  return tokens
end

-- What is asked and about what, and the answer, as tokens; nil if that is not in the scene.
local function ask(world, scene)
  local question <const>, about <const> = world.question[1], world.about[1]
  local due <const>, asked <const> = world.due[1], tok.question[question]
  if question == QUESTION.how_many then
    local n = 0
    for _, thing in pairs(scene.things) do
      if (thing - 1) % #COLOURS + 1 == about then n = n + 1 end
    end
    return {asked, tok.colour[about]}, tok.value["n" .. n]
  end
  local place <const> = scene.moved[(question == QUESTION.where and due or about) - PLACE]
  if place == nil then return nil end
  local named <const> = tok.value[name_place(place)]
  if question == QUESTION.where then return {asked, tok.value[about]}, named end
  return {asked, named}, tok.value[due]
end

-- Behind the scene; or before it, as the environment asks, which names the picture with each.
local function place_question(question, shown, is_before)
  if not is_before then return table.move(question, 1, #question, #shown + 1, shown) end
  local read <const> = {tok.picture[1], question[1], question[2]}
  table.move(shown, 1, #shown, #read + 1, read)
  read[#read + 1] = tok.picture[1]
  return read
end

-- {read, learnt, read, learnt, ...}: each colour's number behind its question.
local function count(rng, scene, shown)
  local n, colours, lists <const> = {0, 0, 0, 0}, {1, 2, 3, 4}, {}
  for _, thing in pairs(scene.things) do
    n[(thing - 1) % #COLOURS + 1] = n[(thing - 1) % #COLOURS + 1] + 1
  end
  rng:shuffle(colours)
  for i, colour in ipairs(colours) do
    local read <const> = i == 1 and shown or {}
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
  document = function(rng, params, augment)
    local wanted <const> = QUESTION[params.ability]
    local task <const> = {pictures_min = 1, pictures_max = 1, side = params.side,
                          things_max = params.things_max}
    local world
    for _ = 1, MOST_DRAWS do
      world = shapes.reset(rng, task)
      if wanted == nil or world.question[1] == wanted then break end
    end
    local scene = see(world, augment)
    if params.ability == "counts" then return count(rng, scene, show(scene, params)) end
    if wanted == nil then return show(scene, params), describe(scene) end
    local question, answer = ask(world, scene)
    if question == nil then
      scene = see(world, parl.transform)
      question, answer = ask(world, scene)
    end
    return place_question(question, show(scene, params), params.asked == "before"), {answer}
  end,
}
