-- zero_vision: does a form of calls that was taught on text alone work on pictures?
--
-- Models of recipe fusion (early, late), of recipe aligned, and fusion's text models, whose tower
-- was never aligned, learn to call, half of the tokens being what they knew; then they are shown
-- pictures. Beside them early models that learn calls on pictures: one kind of call alone and
-- nothing else (narrow), or both kinds on both, with both replayed (diverse). Equal tokens. Run
-- towers, fusion and aligned first, in the same folder. 6 arms x 5 seeds, a minute on 2 idle
-- cores.

-- Weights of sources; the others are only looked at.
local TEXT <const> = {text_call_what = 1, text_call_count = 1, text_any = 2}
local NARROW <const> = {image_call_what = 1}
local DIVERSE <const> = {text_call_what = 1, text_call_count = 1, image_call_what = 1,
                         image_call_count = 1, text_any = 2, image_any = 2}

local function list(weights)
  local sources <const> = {}
  local function add(name, params)
    sources[name] = {file = "shape_scenes.lua", params = params,
                     weight = {start = weights[name] or 0}}
  end
  for front, as in pairs {text = "words", image = "image"} do
    for _, ability in ipairs {"what", "count"} do
      add(front .. "_call_" .. ability, {as = as, ability = ability, form = "calls"})
    end
    add(front .. "_any", {as = as, ability = "any"})
  end
  return sources
end

local function arm(name, init, weights)
  return {name = name, sources = list(weights), pretrain = {init = init}}
end

local EARLY <const> = "runs/fusion/checkpoints/early-s{seed}.safetensors"

return {
  name = "zero_vision",
  question = "Does a form of calls that was taught on text alone work on pictures?",
  run = {n_seeds = 5, seed = 2101},
  env = {file = "shapes.lua",
         params = {modality = "image", side = 2, pictures_max = 1, things_max = 4}},
  model = {n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128,
           max_context = 512, vision = {n_layers = 2, d_model = 48, n_heads = 4, d_ff = 96,
                                        grid_height = 4, grid_width = 4}},
  pretrain = {steps = 150, batch_tokens = 480, lr = 1e-3, eval_every = 150,
              eval_documents = 200},
  warm = {steps = 0, probe = 0},
  train = {updates = 0},
  eval = {tasks = 2, baselines = ""},
  arms = {
    arm("early", EARLY, TEXT),
    arm("late", "runs/fusion/checkpoints/late-s{seed}.safetensors", TEXT),
    arm("aligned", "runs/aligned/checkpoints/trained-s{seed}.safetensors", TEXT),
    arm("never", "runs/fusion/checkpoints/text-s{seed}.safetensors", TEXT),
    arm("early-narrow", EARLY, NARROW),
    arm("early-diverse", EARLY, DIVERSE),
  },
}
