-- kinds: one look solves a plain task, nothing solves a hopeless one. A task's size from 1 to 8 is
-- its stated optimum and means nothing else; `stillborn` of the tasks cannot be made at all.
local tok <const> = parl.tok

return parl.env {
  name = "kinds",
  summary = "tasks that are solved at once, and tasks that never are",
  params = {
    hopeless = { default = 0.5, min = 0.0, max = 1.0, doc = "share of hopeless tasks" },
    stillborn = { default = 0.0, min = 0.0, max = 1.0, doc = "share of tasks whose reset fails" },
    size_max = { default = 8, min = 1, max = 8, doc = "largest size" },
  },
  roles = { "worker" },
  families = { item = 8, word = { "ok" } },
  tools = {
    look = {
      args = { "item" },
      doc = "look at an item",
      run = function(world, agent)
        agent.state.looked = not world.hopeless
        return tok.word.ok
      end,
    },
  },
  task = { args = { "item+" }, max = 4 },
  styles = { "serial", "idle" },
  limits = {
    context = 48, sub_context = 32, sub_steps = 2, max_width = 2, max_agents = 2, max_turns = 3,
  },
  reset = function(rng, params)
    if rng:uniform() < params.stillborn then error("stillborn") end
    return { size = rng:int(1, params.size_max), hopeless = rng:uniform() < params.hopeless }
  end,
  prompt = function(world) return tok.item[world.size] end,
  brief = function(_, _, task) return tok.item[task[1]] end,
  deliver = function() return tok.word.ok end,
  score = function(_, main)
    return main.state.looked and 1 or 0, { success = main.state.looked and 1 or 0 }
  end,
  optimum = function(world) return { critical = world.size, serial = world.size, r_perf = 1 } end,
  family = function(world) return world.hopeless and "hopeless" or "plain" end,
  expert = function(_, agent, style)
    if style == "serial" and not agent.state.asked then
      agent.state.asked = true
      return "look", 1
    end
    return "finish"
  end,
}
