-- long_4096 (study): from 512 tokens to 4096 with 1.3 % of the tokens, with YaRN and without;
-- `parl train` of long and of long_512 first, in the same folder. Minutes: see long.
--
-- The original context stays 64, so the factor is 64, not 8 again. An arm goes on from its own.
local needles <const> = "needles.lua"

local function at(near, far)
  return {
    file = needles,
    params = { length = 4096, questions = 4, near = near, far = far },
    weight = { start = 0 },
  }
end

return {
  name = "long_4096",
  question = "From 512 tokens to 4096: what does YaRN bring alone, and what a stage of training?",
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
    max_context = 4096,
    rope_original_context = 64,
  },
  sources = {
    needles = {
      file = needles,
      params = { length = 4096, questions = 32 },
      weight = { start = 0.9 },
    },
    text = { file = needles, params = { needles = 0 }, weight = { start = 0.1 } },
    d1 = at(1, 503),
    d504 = at(504, 2015),
    d2016 = at(2016, 4087),
  },
  pretrain = {
    steps = 12,
    batch_tokens = 4608,
    lr = 1e-3,
    warmup = 2,
    decay = "linear",
    eval_documents = 24,
    eval_every = 100,
  },
  warm = { steps = 0, probe = 0 },
  train = { updates = 0 },
  eval = { tasks = 2, baselines = "" },
  arms = {
    {
      name = "plain",
      pretrain = { extend = "runs/long_512/checkpoints/plain-s{seed}.safetensors" },
    },
    {
      name = "yarn",
      model = { rope_factor = 64 },
      pretrain = { extend = "runs/long_512/checkpoints/yarn-s{seed}.safetensors" },
    },
  },
}
