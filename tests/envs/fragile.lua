-- fragile: one look solves a task; `broken` of the tasks fail when they are looked at, `stillborn`
-- of them before they have a score. Which they are is the world's.
local tok <const> = parl.tok

return parl.env {
  name = "fragile",
  summary = "a part of the tasks has a bug",
  params = {
    broken = { default = 0.0, min = 0.0, max = 1.0, doc = "share of tasks whose tool fails" },
    stillborn = { default = 0.0, min = 0.0, max = 1.0, doc = "share of tasks whose score fails" },
  },
  roles = { "worker" },
  families = { item = 4, word = { "ok" } },
  tools = {
    look = {
      args = { "item" },
      doc = "look at an item",
      run = function(world, agent)
        if world.broken then error("this item is broken") end
        agent.state.looked = true
        return tok.word.ok
      end,
    },
  },
  task = { args = { "item+" }, max = 4 },
  styles = { "serial", "idle" },
  limits = {
    context = 64, sub_context = 32, sub_steps = 4, max_width = 4, max_agents = 2, max_turns = 8,
  },
  reset = function(rng, params)
    return {
      item = rng:int(1, 4),
      broken = rng:uniform() < params.broken,
      stillborn = rng:uniform() < params.stillborn,
    }
  end,
  prompt = function(world) return tok.item[world.item] end,
  brief = function(_, sub, task)
    sub.state.task = task[1]
    return tok.item[task[1]]
  end,
  deliver = function() return tok.word.ok end,
  score = function(world, main)
    if world.stillborn then error("no score at all") end
    return main.state.looked and 1 or 0.25, { success = main.state.looked and 1 or 0, looks = 0.5 }
  end,
  optimum = function() return { critical = 1, serial = 1, r_perf = 1 } end,
  family = function(world) return world.broken and "bad" or "good" end,
  expert = function(_, agent, style)
    if style == "serial" and not agent.state.asked then
      agent.state.asked = true
      return "look", 1
    end
    return "finish"
  end,
}
