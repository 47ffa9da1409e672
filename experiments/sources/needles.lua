-- needles: values in a text, asked for by their topic at its end; or the text alone.
--
-- In the text, whose words are the upper half of the family `value`, the next word follows from the
-- last one or from the one before it, and a coin says which: ln 2 nats a word for whoever knows the
-- two rules and looks one word back. A needle is a value of the lower half; eight of them belong
-- to each of four topics, and a text has at most one of a topic. A needle's distance is how many
-- tokens it stands in front of the first question. Questions are topics, answers the needles that
-- belong to them, which alone are learnt: of every needle in some order, then again.

local parl <const> = parl
local tok <const> = parl.tok

local N <const>, TOPICS <const> = 32, 4 -- words of the text, and values of needles; topics

-- A text that goes on: the next word.
local function new_text(rng)
  local last, before = rng:int(0, N - 1), rng:int(0, N - 1)
  return function()
    local word <const> = rng:int(0, 1) == 0 and (5 * last + 3) % N or (13 * before + 8) % N
    last, before = word, last
    return tok.value[N + 1 + word]
  end
end

local function write_text(rng, n)
  local next_word <const>, words <const> = new_text(rng), {}
  for i = 1, n do words[i] = next_word() end
  return {}, words
end

-- {topic, value}, of `n` different topics.
local function new_needles(rng, n)
  local topics <const>, needles <const> = parl.range(1, TOPICS), {}
  rng:shuffle(topics)
  for i = 1, n do
    local value <const> = (topics[i] - 1) * N // TOPICS + rng:int(1, N // TOPICS)
    needles[i] = {topic = topics[i], value = value}
  end
  return needles
end

-- `n` tokens of text with the needles at distances near..far from its end.
local function hide(rng, needles, near, far, n)
  local next_word <const>, at <const>, tokens <const> = new_text(rng), {}, {}
  for _, needle in ipairs(needles) do
    local place
    repeat place = n + 1 - rng:int(near, far) until at[place] == nil
    at[place] = tok.value[needle.value]
  end
  for i = 1, n do tokens[i] = at[i] or next_word() end
  return tokens
end

return parl.source {
  name = "needles",
  summary = "values in a text, asked for by their topic at its end, or the text alone",
  params = {
    length = {default = 64, min = 32, max = 65536, doc = "tokens of a document"},
    needles = {default = 4, min = 0, max = TOPICS, doc = "of them; 0: text, all of it learnt"},
    questions = {default = 8, min = 1, max = 256, doc = "of a document"},
    near = {default = 1, min = 1, max = 65536, doc = "least distance of a needle"},
    far = {default = 65536, min = 1, max = 65536, doc = "largest distance of a needle"},
  },
  document = function(rng, params)
    if params.needles == 0 then return write_text(rng, params.length - 1) end
    local n <const> = params.length - 1 - 2 * params.questions -- of text, behind <bos>
    local far <const> = math.min(params.far, n)
    if far - params.near + 1 < params.needles then
      error(params.needles .. " needles do not fit between distance " .. params.near .. " and " ..
            far .. " of a document of " .. params.length .. " tokens")
    end
    local needles <const> = new_needles(rng, params.needles)
    local read, parts = hide(rng, needles, params.near, far, n), {}
    for i = 0, params.questions - 1 do
      local k <const> = i % #needles
      if k == 0 then rng:shuffle(needles) end
      read[#read + 1] = tok.topic[needles[k + 1].topic]
      parts[2 * i + 1], parts[2 * i + 2] = read, {tok.value[needles[k + 1].value]}
      read = {}
    end
    return table.unpack(parts)
  end,
}
