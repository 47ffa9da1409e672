-- shape_scenes: small pictures of shapes.lua, or the same scenes in words, with what is said of
-- them; and facts to be remembered, which no picture shows. All documents have 15 tokens with
-- <bos>, so that budgets of sources can be the same to the token.
--
-- A scene has 4 places, of which some are empty, and takes 8 tokens as a picture and in words. A
-- caption says how many things there are and what is at each place; of questions there are two:
-- how many in the row of a place, or what is at a place. A call is a question and a sign, to
-- which is said, for want of tools among the words of a source, a tool's number (quarter:1 counts,
-- quarter:2 looks), picture:1 and the value. A fact is a value for a key in one of 8 books.

local parl <const> = parl
local tok <const> = parl.tok

local shapes <const> = parl.include "shapes"
local SIDE <const> = 2 -- of a scene
local BOARD <const> = shapes.params.side.max -- of the largest, by which places are counted
local NAMES <const> = shapes.families.value
local PLACE <const> = shapes.params.things_max.max + 1 -- values before the places: numbers from 0
local THING <const> = PLACE + BOARD * BOARD -- and before the things
local QUESTIONS <const> = 2 -- of a document
local BOOKS <const>, KEYS <const>, VALUES <const>, FACTS <const> = 8, 32, 38, 6

local PLACES <const> = {}
for row = 1, SIDE do
  for column = 1, SIDE do PLACES[#PLACES + 1] = (row - 1) * BOARD + column end
end

local function name_place(place)
  return tok.value[NAMES[PLACE + place]]
end

local function name_thing(thing)
  return thing == nil and tok.word.miss or tok.value[NAMES[THING + thing]]
end

local function show(world, params)
  if params.as == "image" then return {world.image[1]} end
  local tokens <const> = {}
  for _, place in ipairs(PLACES) do
    tokens[#tokens + 1] = name_place(place)
    tokens[#tokens + 1] = name_thing(world.things[1][place])
  end
  return tokens
end

local function count(things, places)
  local n = 0
  for _, place in ipairs(places) do n = n + (things[place] ~= nil and 1 or 0) end
  return tok.value["n" .. n]
end

local function caption(things, read)
  local said <const> = {count(things, PLACES)}
  for _, place in ipairs(PLACES) do said[#said + 1] = name_thing(things[place]) end
  read[#read + 1] = tok.word.noted
  return read, said
end

-- A question about a place, with its answer.
local function ask(things, ability, place)
  if ability == "what" then
    return {tok.question.what, name_place(place)}, {name_thing(things[place])}
  end
  local first <const> = (place - 1) // BOARD * BOARD + 1
  return {tok.question.how_many, name_place(place)}, {count(things, {first, first + 1})}
end

-- Of a place where something is: the empty one is no value of the tool.
local function call(rng, things, ability, read)
  local places <const> = {}
  for _, place in ipairs(PLACES) do
    if things[place] ~= nil then places[#places + 1] = place end
  end
  local question <const>, answer <const> = ask(things, ability, places[rng:int(1, #places)])
  table.move(question, 1, #question, #read + 1, read)
  read[#read + 1] = tok.word.unseen
  return read, {tok.quarter[ability == "count" and 1 or 2], tok.picture[1], answer[1]}
end

local function recall(book, key)
  local x = (book * KEYS + key) * 0x9e3779b1 & 0xffffffff
  x = (x ~ x >> 15) * 0x85ebca6b & 0xffffffff
  return (x ~ x >> 13) % VALUES + 1
end

local function tell_facts(rng)
  local book <const>, keys <const> = rng:int(1, BOOKS), {}
  local lists <const> = {{tok.word.unseen, tok.picture[book]}}
  for key = 1, KEYS do keys[key] = key end
  rng:shuffle(keys)
  for i = 1, FACTS do
    lists[#lists] = lists[#lists] or {}
    table.insert(lists[#lists], tok.value[keys[i]])
    lists[#lists + 1] = {tok.value[recall(book, keys[i])]}
    lists[#lists + 1] = i < FACTS and {} or nil
  end
  return table.unpack(lists)
end

return parl.source {
  name = "shape_scenes",
  summary = "small scenes, as pictures or in words, with captions or questions; or facts",
  params = {
    as = {default = "image", choice = {"image", "words"}, doc = "what a scene is shown as"},
    ability = {default = "caption", choice = {"caption", "count", "what", "facts", "any"},
               doc = "what is learnt: all of a scene, answers about it, or facts beside it; any: "
                 .. "one of the first three"},
    form = {default = "answers", choice = {"answers", "calls"},
            doc = "how a question is answered: two answers, or one call of a tool (count, what)"},
  },
  document = function(rng, params)
    if params.ability == "facts" then return tell_facts(rng) end
    local ability = params.ability
    if ability == "any" then ability = ({"caption", "count", "what"})[rng:int(1, 3)] end
    local world <const> = shapes.reset(rng, {pictures_min = 1, pictures_max = 1, side = SIDE,
                                             things_max = #PLACES})
    local things <const>, read <const> = world.things[1], show(world, params)
    if params.form == "calls" then return call(rng, things, ability, read) end
    if ability == "caption" then return caption(things, read) end
    local lists <const>, asked <const> = {read}, rng:shuffle({table.unpack(PLACES)})
    for i = 1, QUESTIONS do
      local question <const>, answer <const> = ask(things, ability, asked[i])
      lists[#lists] = table.move(question, 1, #question, #lists[#lists] + 1, lists[#lists])
      lists[#lists + 1] = answer
      lists[#lists + 1] = {}
    end
    lists[#lists] = nil
    return table.unpack(lists)
  end,
}
