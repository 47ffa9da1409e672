-- lambda: which schedule of the parallel reward, and how much of it, is best on wide search and
-- chains?
--
-- Of the recipe's arms `annealed` varies; `no_shaping` stays beside it, for comparison. The best
-- two points are trained anew on five other seeds: only those are for reporting. 12 points of 3
-- seeds and 18 runs more, 54 in all, each of which is as long as one of quickstart's 10.
return {
  recipe = "quickstart.lua",
  method = "grid",
  arms = { "annealed" },
  parameters = {
    ["lambda1.start"] = { values = { 0.05, 0.1, 0.2, 0.4 }, also = { "lambda2.start" } },
    ["lambda1.shape"] = { values = { "constant", "linear", "cosine" }, also = { "lambda2.shape" } },
  },
  n_seeds = 3,
  metric = "r_perf",
  top = 2,
  top_seeds = 5,
}
