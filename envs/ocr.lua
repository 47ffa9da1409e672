-- ocr: lines of printed digits are read. `look` shows a line; of one that is faint, that there are
-- digits and not which. `binarise` shows a line that was looked at in black and white, the faint
-- ones too. `write` gives a line's digits; whoever writes has read them. A line is worth
-- parl.text_score: 1 - edits / digits of the longer one.
--
-- Optimum: parl.viewing's: a look, if it is faint the binarised line, and writing it. Which lines
-- are faint is seen by looking.

local parl <const> = parl
local tok <const> = parl.tok

local MAX_DIGITS <const>, SCALE <const> = 8, 2
local PAPER <const>, INK <const>, NOISE <const> = 0x606060, 0xf0f0f0, 24
local FAINT <const>, LEVEL <const> = 0x626262, 0x61 -- faint ink, on paper without noise

local viewing -- defined below

local function get_size(params)
  return 6 * SCALE * params.digits_max + 4, 8 * SCALE
end

-- Where a line begins is a matter of chance.
local function draw_line(rng, params, digits, is_faint)
  local w, h = get_size(params)
  local image <const>, x <const>, y <const> = parl.image(w, h, PAPER), rng:int(0, 3), rng:int(0, 2)
  image:text(x, y, table.concat(digits), is_faint and FAINT or INK, SCALE)
  return is_faint and image or image:noise(rng, NOISE)
end

local function reset(rng, params)
  if params.lines_min > params.lines_max then
    error("lines_min exceeds lines_max")
  elseif params.digits_min > params.digits_max then
    error("digits_min exceeds digits_max")
  end
  local world = {n = rng:int(params.lines_min, params.lines_max), digits = {}, faint = {},
                 ways = {}, image = {}}
  for line = 1, world.n do
    world.digits[line], world.faint[line] = {}, rng:chance(params.p_faint)
    for i = 1, rng:int(params.digits_min, params.digits_max) do
      world.digits[line][i] = rng:int(0, 9)
    end
    world.ways[line] = {{{"look"}, world.faint[line] and {"binarise"} or nil}}
  end
  for line = 1, params.modality ~= "text" and world.n or 0 do
    world.image[line] = draw_line(rng, params, world.digits[line], world.faint[line])
  end
  viewing.plan(world, params, rng)
  return world
end

local function tell(world, line, tool)
  local tokens, is_clear = {}, tool == "binarise" or not world.faint[line]
  for i, digit in ipairs(world.digits[line]) do
    tokens[i] = is_clear and tok.digit[digit + 1] or tok.word.faint
  end
  return tokens
end

local function draw(world, line, tool)
  local image <const> = world.image[line]
  return tool == "look" and image or image:threshold(world.faint[line] and LEVEL or 0xa8)
end

-- Digits count from 1 as values, from 0 on the page.
local function get_truth(world, line)
  local values = {}
  for i, digit in ipairs(world.digits[line]) do values[i] = digit + 1 end
  return values
end

viewing = parl.viewing {
  item = "line", answer = "write", value = "digit", tell = tell, draw = draw, size = get_size,
  truth = get_truth,
  rate = function(world, line, values)
    return parl.text_score(values, get_truth(world, line))
  end,
}

local DIGITS <const> = {}
for digit = 0, 9 do DIGITS[digit + 1] = "d" .. digit end

return parl.env(viewing.declare {
  name = "ocr",
  summary = "printed digits are read, faint ones once they are binarised",
  params = {
    lines_min = {default = 1, min = 1, max = 16, doc = "least lines of a page"},
    lines_max = {default = 5, min = 1, max = 16, doc = "most lines of a page"},
    digits_min = {default = 2, min = 1, max = MAX_DIGITS, doc = "least digits of a line"},
    digits_max = {default = 4, min = 1, max = MAX_DIGITS, doc = "most digits of a line"},
    p_faint = {default = 0.3, min = 0.0, max = 1.0, doc = "chance that a line is faint"},
  },
  presets = {
    easy = {lines_max = 2, digits_max = 2, p_faint = 0.0},
    hard = {lines_min = 4, lines_max = 16, digits_max = 8, p_faint = 0.5},
  },
  families = {line = 16, digit = DIGITS, word = {"miss", "unseen", "noted", "faint"}},
  tools = {
    look = {args = {"line"}, doc = "look at a line", run = viewing.view("look")},
    binarise = {args = {"line"}, doc = "see a line in black and white",
                run = viewing.view("binarise")},
    write = {args = {"line", "digit+"}, max = MAX_DIGITS, doc = "give a line's digits",
             run = viewing.answer},
  },
  limits = function(params)
    return viewing.limits(params, params.lines_max, 2, params.digits_max, params.digits_max)
  end,
  reset = reset,
})
