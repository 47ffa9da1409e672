-- places: the words of documents that say where things are; nobody plays it.
return parl.env {
  name = "places",
  summary = "numbers of pixels, sides and corners",
  vision = {width = 16, height = 16},
  roles = {"eye"},
  families = {
    at = 17,
    side = {"left", "top", "right", "bottom",
            "top_left", "top_right", "bottom_left", "bottom_right"},
  },
  tools = {point = {args = {"at", "at"}, doc = "a pixel", run = function() return {} end}},
  task = {args = {"at"}},
  limits = {context = 64, sub_context = 32, sub_steps = 1, max_width = 1, max_agents = 1,
            max_turns = 1},
  reset = function() return {} end,
  prompt = function() return {} end,
  brief = function() return {} end,
  deliver = function() return {} end,
  score = function() return 1, 1 end,
  optimum = function() return {critical = 0, serial = 0, r_perf = 1} end,
}
