-- joint_rl: one ability, counting, in two modalities. What does reinforcement on pictures do to
-- counting in words, and the other way round?
--
-- A model that was pretrained on both (how many of each colour, and the environment's question with
-- its answer) reads pictures and counts with errors. Arms go on from it, and from the same warm
-- start, with the same number of prompts: pictures only, words only, both, and both with a coin in
-- place of the reward. All are judged in both modalities; `untrained` is the model before update 0:
-- parl report runs/joint_rl --reference untrained has what each gained and forgot.
--
-- Counting right or not is what pays. Launching is possible and useless: sub-agents never work.
-- About 4 minutes of processor time (Zen 3 with AVX2), so 2 minutes on 2 cores.

local scene = { side = 2, things_max = 4 }

local function source(as, ability, asked)
  return {
    file = "shape_captions.lua",
    weight = { start = 0.25 },
    params = {
      side = scene.side, things_max = scene.things_max, as = as, ability = ability, asked = asked,
    },
  }
end

return {
  name = "joint_rl",
  question = "Does reinforcement on counting in one modality lift the other, or cost it?",
  run = { n_seeds = 5, seed = 1801 },
  env = {
    file = "envs/shapes.lua",
    params = {
      modality = "both", ability = "how_many", pictures_max = 1,
      side = scene.side, things_max = scene.things_max,
    },
  },
  episode = { budget_factor = 0, legal = true },
  agents = { subs = "scripted", reliability = 0.0 },
  model = {
    n_layers = 3, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64,
    max_context = 256,
    vision = {
      n_layers = 1, d_model = 32, n_heads = 4, d_ff = 64, grid_height = 4, grid_width = 4,
    },
  },
  sources = {
    pictures = source("image", "counts"),
    words = source("words", "counts"),
    asked_pictures = source("image", "how_many", "before"),
    asked_words = source("words", "how_many", "before"),
  },
  pretrain = {
    steps = 900, batch_tokens = 1024, lr = 4e-3, decay = "linear", decay_from = 0.7,
    eval_every = 300,
  },
  warm = { steps = 150, episodes = 32, lr = 1e-3, mix = "serial=1", probe = 64 },
  train = { updates = 150, tasks = 16, group = 8 },
  optimizer = { lr = 3e-4 },
  reward = { perf_lua = "success" },
  lambda1 = { shape = "constant", start = 0.0 },
  lambda2 = { shape = "constant", start = 0.0 },
  eval = { tasks = 500, baselines = "" },
  arms = {
    { name = "vision", train = { abilities = "how_many_image=1" } },
    { name = "text", train = { abilities = "how_many_text=1" } },
    { name = "joint", train = { abilities = "how_many_image=1,how_many_text=1" } },
    {
      name = "coin",
      train = { abilities = "how_many_image=1,how_many_text=1" },
      lambda_perf = { start = 0.0 },
      terms = { coin = { kind = "chance", weight = { shape = "constant", start = 1.0 } } },
    },
  },
}
