-- fusion: when should pictures join text, at equal tokens of both?
--
-- Early: a tenth of the tokens from the beginning; mid: a fifth from the middle; late: half from
-- four fifths on. So every arm sees the same tokens of every source, to the token, and `text` those
-- of text alone, in nine tenths of the steps. All begin as a tower that learnt captions (recipe
-- towers: make it first, in the same folder) with a projector and a decoder that learnt nothing.
-- The learning rate falls in the last tenth, where arms read different mixes, or stays (-constant).
-- 8 arms x 5 seeds, 3.5 minutes on 2 idle cores (6.5 of processor time).

local STEPS <const> = 480
local IMAGES <const> = {"caption", "count", "what"}
local TEXTS <const> = {"caption", "count", "what", "facts"}

-- The weight of one of n sources whose share is `share`, and `before` until step `from`.
local function weigh(n, from, before, share)
  local first <const> = "0:" .. (from > 0 and before or share) / n
  return {shape = "table", table = from > 0 and first .. " " .. from .. ":" .. share / n or first}
end

-- Pictures come in at step `from`, with a share of the tokens.
local function blend(from, share)
  local sources <const> = {}
  local function add(as, front, abilities, weight)
    for _, ability in ipairs(abilities) do
      sources[front .. ability] = {
        file = "shape_scenes.lua", weight = weight, params = {as = as, ability = ability},
        held_out = ability == "facts" and 0 or 0.1, -- a fact is known by who read it
      }
    end
  end
  add("image", "image_", IMAGES, weigh(#IMAGES, from, 0, share))
  add("words", "text_", TEXTS, weigh(#TEXTS, from, 1, 1 - share))
  return sources
end

local arms = {}
for _, decay in ipairs {"linear", "constant"} do
  local function add(name, steps, from, share)
    arms[#arms + 1] = {name = name .. (decay == "constant" and "-constant" or ""),
                       sources = blend(from, share), pretrain = {steps = steps, decay = decay}}
  end
  add("text", STEPS * 9 // 10, 0, 0)
  add("early", STEPS, 0, 0.1)
  add("mid", STEPS, STEPS // 2, 0.2)
  add("late", STEPS, STEPS * 4 // 5, 0.5)
end

return {
  name = "fusion",
  question = "When should pictures join text, at equal tokens of both?",
  run = {n_seeds = 5, seed = 2101},
  env = {file = "shapes.lua",
         params = {modality = "image", side = 2, pictures_max = 1, things_max = 4}},
  model = {n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128,
           max_context = 512, vision = {n_layers = 2, d_model = 48, n_heads = 4, d_ff = 96,
                                        grid_height = 4, grid_width = 4}},
  pretrain = {init = "runs/towers/checkpoints/trained-s{seed}.safetensors", init_part = "tower",
              batch_tokens = 480, lr = 2e-3, decay_from = 0.9, eval_every = 6, eval_documents = 64},
  warm = {steps = 0, probe = 0},
  train = {updates = 0},
  eval = {tasks = 2, baselines = ""},
  arms = arms,
}
