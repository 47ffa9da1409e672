-- long_512 (study): from 64 tokens to 512 with 3.3 % of the tokens, with YaRN and without;
-- `parl train experiments/recipes/long.lua` first, in the same folder. Minutes: see there.
--
-- The first look, before any step, is the switch alone: rotary angles as they were, or YaRN's.
local needles <const> = "needles.lua"

local function at(near, far)
  return {
    file = needles,
    params = { length = 512, questions = 4, near = near, far = far },
    weight = { start = 0 },
  }
end

return {
  name = "long_512",
  question = "From 64 tokens to 512: what does YaRN bring alone, and what a stage of training?",
  run = { n_seeds = 5, seed = 2101 },
  env = {
    file = "envs/long_read.lua",
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
    max_context = 512,
    rope_original_context = 64,
  },
  sources = {
    needles = { file = needles, params = { length = 512 }, weight = { start = 0.75 } },
    text = { file = needles, params = { needles = 0 }, weight = { start = 0.25 } },
    d1 = at(1, 55),
    d56 = at(56, 247),
    d248 = at(248, 503),
  },
  pretrain = {
    steps = 66,
    batch_tokens = 2048,
    lr = 1e-3,
    warmup = 5,
    decay = "linear",
    eval_documents = 24,
    eval_every = 100,
  },
  warm = { steps = 0, probe = 0 },
  train = { updates = 0 },
  eval = { tasks = 2, baselines = "" },
  arms = {
    { name = "plain", pretrain = { extend = "runs/long/checkpoints/trained-s{seed}.safetensors" } },
    {
      name = "yarn",
      model = { rope_factor = 8 },
      pretrain = { extend = "runs/long/checkpoints/trained-s{seed}.safetensors" },
    },
  },
}
