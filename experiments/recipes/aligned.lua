-- aligned: recipe fusion's text models get eyes afterwards: the trained tower that they carry, and
-- their projector, learn to serve a decoder that stays as it is. From as many tokens of pictures as
-- fusion's other models read. After fusion, for recipe zero_vision; seconds.
local function source(ability)
  return {file = "shape_scenes.lua", params = {ability = ability}}
end

return {
  name = "aligned",
  question = "How well does a tower caption for a decoder that learnt text alone and stays?",
  run = {n_seeds = 5, seed = 2101},
  env = {file = "shapes.lua",
         params = {modality = "image", side = 2, pictures_max = 1, things_max = 4}},
  model = {n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128,
           max_context = 512, vision = {n_layers = 2, d_model = 48, n_heads = 4, d_ff = 96,
                                        grid_height = 4, grid_width = 4}},
  sources = {image_caption = source("caption"), image_count = source("count"),
             image_what = source("what")},
  pretrain = {init = "runs/fusion/checkpoints/text-s{seed}.safetensors", train = "vision",
              steps = 96, batch_tokens = 240, lr = 2e-3, decay = "linear", decay_from = 0.5,
              eval_every = 48, eval_documents = 100},
  warm = {steps = 0, probe = 0},
  train = {updates = 0},
  eval = {tasks = 2, baselines = ""},
}
