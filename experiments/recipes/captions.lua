-- captions: a small tower and a small decoder learn, from nothing, to say what is in a picture.
--
-- Documents are drawn as they are needed: pictures of shapes.lua with captions, the same scenes in
-- words, and captions without anything to be read, whose loss is the base rate: what can be said
-- without looking. What is measured is the loss and the share of right tokens on documents whose
-- contents are never learnt. See them with `parl data show captions`; docs/data.md walks through.
-- About half a minute on 2 cores.

return {
  name = "captions",
  question = "How well does a small tower caption pictures that it never saw?",
  env = {file = "shapes.lua",
         params = {modality = "image", side = 2, pictures_max = 1, things_max = 3}},
  model = {n_layers = 2, d_model = 64, n_heads = 4, n_kv_heads = 4, head_dim = 16, d_ff = 128,
           max_context = 512, vision = {n_layers = 2, d_model = 48, n_heads = 4, d_ff = 96,
                                        grid_height = 4, grid_width = 4}},
  sources = {
    pictures = {file = "shape_captions.lua", weight = {start = 0.75},
                params = {side = 2, things_max = 3}},
    blind = {file = "shape_captions.lua", weight = {start = 0.05},
             params = {side = 2, things_max = 3, as = "nothing"}, held_out = 0},
    words = {file = "shape_captions.lua", weight = {start = 0.2},
             params = {side = 2, things_max = 3, as = "words"}},
  },
  pretrain = {steps = 800, batch_tokens = 1024, lr = 3e-3, decay = "linear", decay_from = 0.7,
              eval_every = 50, eval_documents = 128},
  -- Nothing after it: no demonstrations, no reinforcement, a look at how the model plays.
  warm = {steps = 0, probe = 0},
  train = {updates = 0},
  eval = {tasks = 20, baselines = "serial"},
}
