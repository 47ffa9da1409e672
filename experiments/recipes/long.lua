-- long (study): contexts of 64 tokens, the first of three stages; long_512 and long_4096 extend
-- what it makes.
--
-- A small model learns to find values in a text by their topic, and the text itself, in documents
-- of 64 tokens. What is measured is retrieval by distance, and the loss on short texts.
-- 5 seeds; the three recipes together take 5 minutes of processor time, 3 on 2 idle cores.
local needles <const> = "needles.lua"

return {
  name = "long",
  question = "Do values found by topic within 64 tokens begin a model of longer contexts?",
  run = { n_seeds = 5, seed = 2101, checkpoint_every = 500 },
  env = {
    file = "envs/long_read.lua", -- its words; its contexts fit 64 tokens so
    params = { context = 64, pages_min = 2, pages_max = 4, facts_max = 2, pairs = 4 },
  },
  model = {
    n_layers = 2,
    d_model = 32,
    n_heads = 2,
    n_kv_heads = 2,
    head_dim = 16,
    d_ff = 64,
    init_std = 0.15,
    max_context = 64,
    rope_original_context = 64,
  },
  sources = {
    needles = { file = needles, weight = { start = 0.5 } },
    text = { file = needles, params = { needles = 0 }, weight = { start = 0.5 } },
    -- Never learnt: a distance each.
    d1 = {
      file = needles,
      params = { questions = 4, near = 1, far = 27 },
      weight = { start = 0 },
    },
    d28 = {
      file = needles,
      params = { questions = 4, near = 28, far = 55 },
      weight = { start = 0 },
    },
  },
  pretrain = {
    steps = 2000,
    batch_tokens = 2048,
    lr = 5e-3,
    warmup = 50,
    decay = "linear",
    decay_from = 0.7,
    eval_every = 500,
    eval_documents = 24,
  },
  -- Nothing after it: no demonstrations, no reinforcement, a look at how the model plays.
  warm = { steps = 0, probe = 0 },
  train = { updates = 0 },
  eval = { tasks = 2, baselines = "" },
}
