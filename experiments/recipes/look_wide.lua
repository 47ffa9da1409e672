-- look_wide: a swarm that looks. Of many pictures the discs of a colour are to be counted; a policy
-- looks at them itself, or lets sub-agents look, side by side or one after the other.
--
-- Arms: launches paid for over the first 60 % of the updates; never paid; never paid and one
-- sub-agent at a time (episode.max_width = 1), the serial swarm; and one that learned from a
-- script that works alone and has a budget of total steps, as many as a swarm takes that counts
-- everything, so that to launch saves nothing. Sub-agents are scripts that read without error, so
-- that the arms differ in the orchestrator alone; a budget of 2 x the optimum. 4 minutes of
-- processor time (Zen 3 with AVX2), so 2 on 2 cores.
--
-- With pictures instead of tokens: --set env.params.modality=image --set model.vision.n_layers=1
return {
  name = "look_wide",
  question = "Does a policy let others look side by side, and does it need pay for that?",
  run = { n_seeds = 5, seed = 901 },
  env = { file = "envs/look_wide.lua", params = { pictures_min = 4, pictures_max = 8 } },
  episode = { budget_factor = 2.0, legal = true },
  agents = { subs = "scripted" },
  model = { n_layers = 2, d_model = 32, n_heads = 4, n_kv_heads = 4, head_dim = 8, d_ff = 64 },
  warm = { steps = 120, episodes = 32, probe = 128, mix = "serial=0.7,narrow=0.2,greedy_wide=0.1" },
  train = { updates = 100, tasks = 8, group = 8 },
  eval = { tasks = 100, baselines = "serial,greedy_wide,oracle" },
  arms = {
    {
      name = "paid",
      lambda1 = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 },
      lambda2 = { shape = "linear", start = 0.3, stop = 0.0, over = 0.6 },
    },
    {
      name = "unpaid",
      lambda1 = { shape = "constant", start = 0.0 },
      lambda2 = { shape = "constant", start = 0.0 },
    },
    {
      name = "one_at_a_time",
      episode = { max_width = 1 },
      lambda1 = { shape = "constant", start = 0.0 },
      lambda2 = { shape = "constant", start = 0.0 },
    },
    {
      name = "total_steps",
      warm = { mix = "serial=1" },
      episode = { budget_counts = "total", budget_factor = 3.5 },
      lambda1 = { shape = "constant", start = 0.0 },
      lambda2 = { shape = "constant", start = 0.0 },
    },
  },
}
