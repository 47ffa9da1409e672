-- towers: vision towers that learnt captions beside a small decoder, which recipe fusion wants;
-- make them first. One for each seed, half a minute on 2 idle cores.
local function source(as)
  return {file = "shape_scenes.lua", params = {as = as}}
end

return {
  name = "towers",
  question = "How well does a tower caption pictures that it never saw, beside a small decoder?",
  run = {n_seeds = 5, seed = 2101},
  env = {file = "shapes.lua",
         params = {modality = "image", side = 2, pictures_max = 1, things_max = 4}},
  model = {n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128,
           max_context = 512, vision = {n_layers = 2, d_model = 48, n_heads = 4, d_ff = 96,
                                        grid_height = 4, grid_width = 4}},
  sources = {image_caption = source("image"), text_caption = source("words")},
  pretrain = {steps = 300, batch_tokens = 1020, lr = 3e-3, decay = "linear", decay_from = 0.7,
              eval_every = 100, eval_documents = 100},
  warm = {steps = 0, probe = 0},
  train = {updates = 0},
  eval = {tasks = 2, baselines = ""},
}
