/* lua/api_list.h - everything a script can name, in one place.
 *
 * From these lists come the registration of functions and the checks of keys (env_spec.c,
 * env_kit.c, env_rng.c, env_params.c), the editor's stub lua/stubs/parl.d.lua, the set of names for
 * luacheck and docs/lua-api.md (`make docs`). Types are written as LuaLS does; Token is an integer
 * that parl.tok gives. Texts are one sentence. */
#ifndef PARL_LUA_API_LIST_H
#define PARL_LUA_API_LIST_H

/* Fields of the global `parl`. X(name, type, doc) */
#define PARL_MODULE_LIST(X)                                                                       \
  X(env, "fun(declaration: parl.Declaration): parl.Declaration",                                  \
    "Declares the environment; a file ends with `return parl.env{...}`.")                         \
  X(include, "fun(name: string): parl.Declaration",                                               \
    "The declaration in the sibling file `name`.lua, to build an environment from others.")       \
  X(source, "fun(declaration: parl.Source): parl.Source",                                         \
    "Declares a source of documents, in the words of a recipe's environment; its file ends with " \
    "`return parl.source{...}`, and `include` looks beside the environment.")                     \
  X(VERSION, "string", "Version of the contract between scripts and the program.")                \
  X(load_image, "fun(name: string): parl.Image",                                                  \
    "The picture in the file `name`, .png, .jpg or .jpeg, beside the script, of at most 4 MiB; "  \
    "only while the script is loaded.")                                                           \
  X(tok, "table<string, table<integer|string, parl.Token>>",                                      \
    "Tokens by family: parl.tok.row[3], parl.tok.word.miss; known once parl.env has run.")

/* Helpers, also fields of `parl`. X(name, type, doc) */
#define PARL_KIT_LIST(X)                                                                           \
  X(range, "fun(first: integer, last: integer): integer[]",                                        \
    "The numbers from first to last; none if last is less.")                                       \
  X(without, "fun(list: any[], taken: any[]): any[]",                                              \
    "The items of a list that are not among those taken, in their order.")                         \
  X(split, "fun(list: any[], k: integer): any[][]",                                                \
    "Groups of k items that follow each other in the list; the last group may be shorter.")        \
  X(launch, "fun(groups: (integer|integer[])[], n: integer?, name: integer?): any[][]",            \
    "For an expert: assign_task for each of the first n groups (nil: all), to sub-agents of the "  \
    "configuration `name` (nil: 1). A group of one may be the number itself.")                     \
  X(makespan, "fun(costs: integer[], workers: integer): integer, integer[][], boolean",            \
    "Least steps in which workers, side by side, do up to 256 jobs of those costs, each whole; "   \
    "the jobs of every worker that has any; and true if that is the least. Where the search was "  \
    "cut short it is false, and the steps are a lower bound.")                                     \
  X(image, "fun(w: integer, h: integer, colour: integer?): parl.Image",                            \
    "A picture of up to 2^20 pixels, 4096 a side, filled with a colour 0xRRGGBB (nil: black); "    \
    "pixels count from 0, from the top left.")                                                     \
  X(clip, "fun(frames: parl.Image[]): parl.Image",                                                 \
    "A clip of 2 to 4 images of one size, which models see as one item; they are copied. It is "   \
    "returned among tokens and has no methods: what is looked at is a frame, before.")             \
  X(transform, "fun(w: integer, h: integer): parl.Transform",                                      \
    "What is done to pictures of that size, and to coordinates in them: nothing, to begin with.")  \
  X(box_f1, "fun(found: number[][], due: number[][]): number",                                     \
    "2 * sum of IoU / (boxes found + due) over the best one-to-one matching of boxes "             \
    "{x0, y0, x1, y1}, at most 64 a side. This and the scores that follow: 0 to 1; 1 of two "      \
    "empty lists, 0 of one.")                                                                      \
  X(point_f1, "fun(found: number[][], due: number[][], scale: number): number",                    \
    "The same of points {x, y}, with exp(-d^2 / (2 scale^2)) of the distance d for IoU.")          \
  X(polygon_iou, "fun(found: number[][], due: number[][]): number",                                \
    "Area in common / area of both, of two polygons of at most 64 corners {x, y}, of any form.")   \
  X(text_score, "fun(found: string|integer[], due: string|integer[]): number",                     \
    "1 - edits / length of the longer one: least insertions, deletions and replacements of a "     \
    "sign of texts, or of lists of integers, of at most 1000.")                                    \
  X(count_score, "fun(found: integer, due: integer): number",                                      \
    "max(0, 1 - |found - due| / max(due, 1)).")                                                    \
  X(worklist, "fun(spec: parl.Worklist): parl.Work",                                               \
    "Items 1 to world.n that agents work off, alone or side by side: their progress, their open "  \
    "items and the experts.")                                                                      \
  X(project, "fun(spec: parl.Project): parl.Jobs",                                                 \
    "Items that pass through stages, by roles that suit the stages; some may need others: the "    \
    "best plan, progress, who knows what, and the experts.")                                       \
  X(viewing, "fun(spec: parl.Viewing): parl.Views",                                                \
    "Pictures 1 to world.n that agents look at, closer where they must, and answer for: what was " \
    "seen, the answers, the optimum and the experts.")

/* Methods of an image. X(name, type, doc) */
#define PARL_IMAGE_LIST(X)                                                                         \
  X(size, "fun(self: parl.Image): integer, integer", "Its width and its height.")                  \
  X(get, "fun(self: parl.Image, x: integer, y: integer): integer", "The colour of a pixel.")       \
  X(fill, "fun(self: parl.Image, colour: integer): parl.Image", "Gives every pixel the colour.")   \
  X(rect,                                                                                          \
    "fun(self: parl.Image, x: integer, y: integer, w: integer, h: integer, colour: integer): "     \
    "parl.Image",                                                                                  \
    "Fills w columns from x and h rows from y.")                                                   \
  X(disc,                                                                                          \
    "fun(self: parl.Image, x: integer, y: integer, r: integer, colour: integer): parl.Image",      \
    "Fills the pixels at most r + 1/2 from (x, y); r = 0: one pixel.")                             \
  X(polygon, "fun(self: parl.Image, points: integer[][], colour: integer): parl.Image",            \
    "Fills the pixels whose centres are inside of the 3 to 1024 corners {x, y}, by the even-odd "  \
    "rule; a corner is the top left corner of a pixel.")                                           \
  X(line,                                                                                          \
    "fun(self: parl.Image, x0: integer, y0: integer, x1: integer, y1: integer, colour: integer): " \
    "parl.Image",                                                                                  \
    "One pixel wide, both ends included.")                                                         \
  X(text,                                                                                          \
    "fun(self: parl.Image, x: integer, y: integer, text: string, colour: integer, "                \
    "scale: integer?): parl.Image",                                                                \
    "Up to 1000 printable ASCII characters of 5 x 7 squares of `scale` pixels (nil: 1), one "      \
    "square apart, from the top left corner (x, y).")                                              \
  X(noise, "fun(self: parl.Image, rng: parl.Rng, amount: integer): parl.Image",                    \
    "Adds an integer from -amount to amount to each channel of each pixel, clipped; one draw a "   \
    "pixel.")                                                                                      \
  X(copy, "fun(self: parl.Image): parl.Image", "A new image, to draw on.")                         \
  X(crop, "fun(self: parl.Image, x: integer, y: integer, w: integer, h: integer): parl.Image",     \
    "A part of it, as a new image; all of it inside.")                                             \
  X(resize, "fun(self: parl.Image, w: integer, h: integer): parl.Image",                           \
    "A new image of that size: bicubic, antialiased, as models see it.")                           \
  X(threshold, "fun(self: parl.Image, level: integer): parl.Image",                                \
    "A new image: white where the luminance is at least level, 0 to 256, else black.")             \
  X(select, "fun(self: parl.Image, colour: integer, near: integer?): parl.Image",                  \
    "A new image: white where each channel is at most `near` (nil: 0) from the colour's, else "    \
    "black.")                                                                                      \
  X(components, "fun(self: parl.Image, background: integer?): parl.Component[]",                   \
    "The connected parts, corners included, of what has not the colour `background` (nil: "        \
    "black), "                                                                                     \
    "in the order of their first pixels.")

/* Methods of a transform. X(name, type, doc) */
#define PARL_TRANSFORM_LIST(X)                                                                    \
  X(size, "fun(self: parl.Transform): integer, integer",                                          \
    "Width and height of the pictures that come out.")                                            \
  X(image, "fun(self: parl.Transform, image: parl.Image): parl.Image",                            \
    "A new image, of one of the size it takes.")                                                  \
  X(point, "fun(self: parl.Transform, x: number, y: number): number?, number?",                   \
    "Where a point comes to lie, the centre of pixel (0, 0) being (0, 0); nil if it is not in "   \
    "the picture, or a crop left it out. Whole numbers stay whole but by `scale`.")               \
  X(box,                                                                                          \
    "fun(self: parl.Transform, x0: number, y0: number, x1: number, y1: number): number?, "        \
    "number?, number?, number?",                                                                  \
    "The same of a box, columns x0 to x1 - 1 and rows y0 to y1 - 1, clipped to the picture; nil " \
    "if nothing of it is left.")                                                                  \
  X(word, "fun(self: parl.Transform, word: string, sides: string[]?): string",                    \
    "What is said of the new picture for `word` of the old one, if it is a side, or a corner "    \
    "as top_left; else the word itself. sides: names of left, top, right and bottom (nil: "       \
    "these).")                                                                                    \
  X(crop,                                                                                         \
    "fun(self: parl.Transform, x: integer, y: integer, w: integer, h: integer): parl.Transform",  \
    "A new transform that ends with this step: all of the part inside. At most 16 steps.")        \
  X(flip_x, "fun(self: parl.Transform): parl.Transform", "The same: left for right.")             \
  X(flip_y, "fun(self: parl.Transform): parl.Transform", "The same: top for bottom.")             \
  X(turn, "fun(self: parl.Transform, quarters: integer): parl.Transform",                         \
    "The same: quarter turns clockwise.")                                                         \
  X(scale, "fun(self: parl.Transform, w: integer, h: integer): parl.Transform",                   \
    "The same: to that size, as `resize` does.")                                                  \
  X(append, "fun(self: parl.Transform, next: parl.Transform): parl.Transform",                    \
    "The same: all steps of another, which takes the size that this one gives.")                  \
  X(inverse, "fun(self: parl.Transform): parl.Transform",                                         \
    "What undoes it. A crop's knows where points and boxes were; pixels that were left out are "  \
    "gone, so `image` is refused.")

/* Fields of what `components` lists. X(name, type, doc) */
#define PARL_COMPONENT_LIST(X)               \
  X(x, "integer", "Left column of its box.") \
  X(y, "integer", "Top row of its box.")     \
  X(w, "integer", "Width of its box.")       \
  X(h, "integer", "Height of its box.")      \
  X(n, "integer", "Pixels that belong to it.")

/* Keys of what parl.worklist takes. X(name, type, doc) */
#define PARL_WORKLIST_LIST(X)                                                                  \
  X(tool, "string", "The tool that takes one step on an item, its only argument.")             \
  X(role, "string|string[]",                                                                   \
    "Of the sub-agents that experts create: the first of a list, any of it if random.")        \
  X(is_open, "fun(world: table, state: table, item: integer): boolean",                        \
    "Whether an agent of that state still has to work on one of the items 1 to world.n.")      \
  X(start, "(fun(state: table))?", "Sets what an agent's state begins with.")                  \
  X(alone, "(fun(world: table, style: string, state: table): boolean)?",                       \
    "Whether an expert works alone now: the oracle where launching does not pay. nil: never; " \
    "`serial` always does.")                                                                   \
  X(launch, "(fun(world: table, style: string, items: integer[]): any[][])?",                  \
    "The launch of a style with those open items; nil: one sub-agent for each item, at most "  \
    "`width`, 2 of them if the style is narrow.")                                              \
  X(width, "integer?", "Sub-agents of a launch at most; nil: one for each item.")              \
  X(agents, "integer?", "Configurations that the random style creates; 2 if absent.")          \
  X(in_order, "boolean?", "The random style works on the first open item only.")               \
  X(launch_chance, "number?", "Of a launch by the random style, once it can; 0.5 if absent.")  \
  X(random_launch, "(fun(world: table, agent: parl.Agent, items: integer[]): any[][])?",       \
    "A launch of the random style; nil: some of the open items, one each.")                    \
  X(random_call, "(fun(world: table, agent: parl.Agent): any[]|nil)?",                         \
    "Now and then another call of the random style, else nil.")

/* Fields of what parl.worklist gives. X(name, type, doc) */
#define PARL_WORK_LIST(X)                                                                         \
  X(progress, "fun(agent: parl.Agent): table",                                                    \
    "The agent's state, begun if it is new. Its `created` counts configurations; `brief` sets a " \
    "sub-agent's `task`.")                                                                        \
  X(open, "fun(world: table, agent: parl.Agent): integer[]",                                      \
    "Items that are open: all of them for the orchestrator, those of its task for a sub-agent.")  \
  X(turn, "fun(world: table, agent: parl.Agent, style: string, items: integer[]?): any[][]",      \
    "The ladder of the usual experts (serial, narrow, greedy_wide, oracle, random): finish, "     \
    "work, "                                                                                      \
    "create_subagent, launch. items: nil: those that are open.")

/* Keys of what parl.project takes. X(name, type, doc) */
#define PARL_PROJECT_LIST(X)                                                                       \
  X(roles, "string[]", "Names of the roles; world.suits[job] is a place in this list.")            \
  X(stages, "string[]",                                                                            \
    "Tools that take a step on an item, their first argument: the stages that each item goes "     \
    "through. assign_task takes a stage, if there are several, and items.")                        \
  X(item, "string",                                                                                \
    "The family of the items; that of the stages, if there are several, is "                       \
    "`stage`.")                                                                                    \
  X(tell, "fun(world: table, state: table, job: integer): parl.Token[]",                           \
    "What an agent reads of a job that somebody did, at most 8 tokens; may note in its state "     \
    "what it thereby knows.")                                                                      \
  X(start, "(fun(state: table))?", "Adds to what an agent's state begins with.")                   \
  X(argument, "(fun(world: table, job: integer): integer)?",                                       \
    "The second argument that experts give to the tool of a job, if it has one.")                  \
  X(answer, "(fun(world: table, state: table): any[])?",                                           \
    "The orchestrator's call when all is done, if there is one. Its tool sets `f1` of the state: " \
    "r_perf is 0.4 times the share of the jobs that are done and 0.6 times f1. reset sets the "    \
    "world's `f1`, the best there is.")                                                            \
  X(random_call, "(fun(world: table, agent: parl.Agent): any[]|nil)?",                             \
    "Now and then another call of the random style, else nil.")

/* Fields of what parl.project gives. X(name, type, doc) */
#define PARL_JOBS_LIST(X)                                                                          \
  X(plan, "fun(world: table)",                                                                     \
    "Called by reset, at its end. Reads n (jobs: items times stages), effort[job] (steps of an "   \
    "agent that suits; 0: done as soon as the stage before it is), suits[job], slow (steps of "    \
    "any other agent for one), and, if there, needs[job] (a list of lower jobs) or rate "          \
    "(sub-agents of a launch that work at once); adds what the best play takes.")                  \
  X(job, "fun(item: integer, stage: integer): integer", "The number of a job.")                    \
  X(draw, "fun(rng: parl.Rng, most: integer, p_fail: number): integer",                            \
    "An effort from 1 to most, and up to two tries more that fail, each with that chance.")        \
  X(tell, "fun(world: table, agent: parl.Agent, job: integer, tokens: parl.Token[])",              \
    "Appends what `tell` of the project says of a job.")                                           \
  X(item, "fun(job: integer): integer, integer", "The item and the stage of a job.")               \
  X(progress, "fun(agent: parl.Agent): table",                                                     \
    "The agent's state, begun if it is new. `done[job]`; `news`: the jobs that it did or was "     \
    "told of, in their order; `jobs`: of a sub-agent, what it was given.")                         \
  X(is_ready, "fun(world: table, state: table, job: integer): boolean",                            \
    "Whether all that a job needs is done.")                                                       \
  X(open, "fun(world: table, agent: parl.Agent): integer[]",                                       \
    "Jobs that are not done: all for the orchestrator, of those given to a sub-agent.")            \
  X(ready, "fun(world: table, agent: parl.Agent): integer[]", "Those of them that are ready.")     \
  X(work, "fun(world: table, agent: parl.Agent, job: integer): string",                            \
    "A step on a job: new (now it is done), part, done (it was), blocked, queued or miss.")        \
  X(brief, "fun(world: table, sub: parl.Agent, task: table, main: parl.Agent): parl.Token[]",      \
    "The callback: the sub-agent gets the jobs of its task and all that they need, and is told "   \
    "what is done of these.")                                                                      \
  X(deliver, "fun(world: table, main: parl.Agent, sub: parl.Agent): parl.Token[]",                 \
    "The callback: takes over what a sub-agent did; tells of the jobs that are news.")             \
  X(summarize, "fun(world: table, main: parl.Agent): parl.Token[]",                                \
    "The callback: what is done, and the items of which something is not.")                        \
  X(legal,                                                                                         \
    "fun(world: table, agent: parl.Agent, tool: string, slot: integer, taken: integer[], given: "  \
    "table): integer[]",                                                                           \
    "Items that are ready, for a tool; for assign_task stages, then items that are open.")         \
  X(turn, "fun(world: table, agent: parl.Agent, style: string): any[][]",                          \
    "The usual experts: serial, narrow, greedy_wide (each ready job to the role that suits it), "  \
    "oracle (the best plan) and random.")                                                          \
  X(share, "fun(world: table, main: parl.Agent): number", "Share of the jobs that are done.")      \
  X(declare, "fun(declaration: parl.Declaration): parl.Declaration",                               \
    "Adds what is not there of roles, task, styles, legal, brief, deliver, summarize, score (the " \
    "share, or with an answer as said there), "                                                    \
    "optimum, expert and family, and the parameters p_fail and slow.")

/* Keys of what parl.viewing takes. X(name, type, doc) */
#define PARL_VIEWING_LIST(X)                                                                      \
  X(item, "string", "The family of the pictures, the first argument of all tools.")               \
  X(answer, "string", "The tool that answers for one; its second argument is the answer.")        \
  X(value, "string", "The family of the answer.")                                                 \
  X(tell, "fun(world: table, item: integer, tool: string, argument: integer?): parl.Tokens",      \
    "What a view shows, as tokens.")                                                              \
  X(draw,                                                                                         \
    "fun(world: table, item: integer, tool: string, argument: integer?): "                        \
    "parl.Image|parl.Image[]|nil",                                                                \
    "The same as images, where params.modality is image, or both and the task is one that shows " \
    "images; nil: tokens there too.")                                                             \
  X(size, "fun(params: table): integer, integer, integer?, integer?",                             \
    "Width and height of the largest image, how many a view shows at most (nil: 1), and frames "  \
    "of its clips (nil: it shows none).")                                                         \
  X(truth, "fun(world: table, item: integer): integer|integer[]", "An answer that is worth 1.")   \
  X(rate, "fun(world: table, item: integer, value: integer|integer[]): number",                   \
    "What an answer is worth, 0 to 1.")                                                           \
  X(ask, "fun(world: table, item: integer): parl.Token[]|nil",                                    \
    "The question, at most 8 tokens; nil: there is none.")                                        \
  X(legal, "fun(world: table, item: integer, tool: string, taken: integer[]): integer[]?",        \
    "Which second arguments of a tool make sense for an item; nil: all.")                         \
  X(ability, "fun(world: table): string|nil",                                                     \
    "What the task asks for, the kind of task in place of the environment's name.")

/* Fields of what parl.viewing gives. X(name, type, doc) */
#define PARL_VIEWS_LIST(X)                                                                        \
  X(plan, "fun(world: table, params: table, rng: parl.Rng?)",                                     \
    "Called by reset, at its end; rng decides where params.modality = both, which is an error "   \
    "without it. Reads n, ways[item] (lists of views {tool, argument}, `look` first; an answer "  \
    "rests on all views of one way) and, if there, width (sub-agents of a launch); adds what "    \
    "the best play takes.")                                                                       \
  X(view, "fun(tool: string): function",                                                          \
    "The handler of a tool that looks: `look` before any other, which else is `unseen`.")         \
  X(answer, "fun(world: table, agent: parl.Agent, item: integer, value: any): parl.Token",        \
    "The handler of the tool that answers: `noted`, or `unseen` where no way was gone to its "    \
    "end; the latest stands.")                                                                    \
  X(limits,                                                                                       \
    "fun(params: table, n: integer, views: integer, tokens: integer, values: integer, width: "    \
    "integer?): parl.Limits",                                                                     \
    "Limits for n pictures of up to so many views, each of so many tokens (or of images, where "  \
    "model.vision.patch is 4), and an answer of so many values.")                                 \
  X(prompt, "fun(world: table): parl.Token[]", "The callback: the items and what is asked.")      \
  X(legal,                                                                                        \
    "fun(world: table, agent: parl.Agent, tool: string, slot: integer, taken: integer[], given: " \
    "table): integer[]?",                                                                         \
    "The callback: items that are open; for all but `look` those that were looked at.")           \
  X(brief, "fun(world: table, sub: parl.Agent, task: integer[], main: parl.Agent): parl.Token[]", \
    "The callback: the task's questions.")                                                        \
  X(deliver, "fun(world: table, main: parl.Agent, sub: parl.Agent): parl.Token[]",                \
    "The callback: takes over the answers, and tells them.")                                      \
  X(summarize, "fun(world: table, main: parl.Agent): parl.Token[]",                               \
    "The callback: the answers, and the questions that are open.")                                \
  X(score, "fun(world: table, main: parl.Agent): number, table",                                  \
    "The callback: the mean worth of the answers, and the share that has one.")                   \
  X(optimum, "fun(world: table): parl.Optimum", "The callback: of the plan.")                     \
  X(turn, "fun(world: table, agent: parl.Agent, style: string): any[][]",                         \
    "The usual experts: serial, narrow, greedy_wide, oracle and random.")                         \
  X(declare, "fun(declaration: parl.Declaration): parl.Declaration",                              \
    "Adds what is not there of roles, task, styles and callbacks, vision, and the parameter "     \
    "modality.")

/* Methods of an rng object. X(name, type, doc) */
#define PARL_RNG_LIST(X)                                                                     \
  X(int, "fun(self: parl.Rng, low: integer, high: integer): integer",                        \
    "An integer from low to high, both included.")                                           \
  X(uniform, "fun(self: parl.Rng): number", "A number in [0, 1).")                           \
  X(chance, "fun(self: parl.Rng, p: number): boolean", "True with probability p.")           \
  X(normal, "fun(self: parl.Rng): number", "A number with mean 0 and standard deviation 1.") \
  X(shuffle, "fun(self: parl.Rng, list: table): table",                                      \
    "Brings the list into a random order, in place, and returns it.")                        \
  X(pick, "fun(self: parl.Rng, list: table): any", "One of the items of the list.")

/* Fields of an agent. X(name, type, doc) */
#define PARL_AGENT_LIST(X)                                                                 \
  X(id, "integer", "0: the orchestrator; sub-agents count from 1 in order of assignment.") \
  X(main, "boolean", "True for the orchestrator.")                                         \
  X(role, "string", "One of `roles`; \"orchestrator\" for it.")                            \
  X(state, "table", "Scratch of this agent: the only thing that callbacks may change.")    \
  X(rng, "parl.Rng", "Chance of this agent.")

/* Plain fields of a declaration. X(name, required, type, doc) */
#define PARL_FIELD_LIST(X)                                                                 \
  X(name, true, "string", "Letters, digits and _.")                                        \
  X(summary, true, "string", "One line.")                                                  \
  X(params, false, "table<string, parl.Param>", "What a recipe may set under env.params.") \
  X(presets, false, "table<string, table>",                                                \
    "Named settings of the parameters; they make one more parameter, `preset`.")           \
  X(roles, true, "string[]", "What create_subagent may choose from; 1 to 8.")              \
  X(families, true, "table<string, integer|string[]|string>|fun(params: table): table",    \
    "Typed arguments: a number of values, a list of words, or another family's name.")     \
  X(tools, true, "table<string, parl.Tool>", "What agents can call; at most 16.")          \
  X(task, true, "parl.Task", "What assign_task takes after the sub-agent's name.")         \
  X(styles, false, "string[]", "The styles that `expert` plays; at most 12.")              \
  X(limits, true, "parl.Limits|fun(params: table): parl.Limits", "Bounds of an episode.")  \
  X(vision, false, "parl.Vision|fun(params: table): parl.Vision?",                         \
    "It shows images: a `parl.image` may stand among the tokens that it returns.")

/* Callbacks of a declaration. X(name, required, type, doc) */
#define PARL_CALLBACK_LIST(X)                                                                      \
  X(ready, false, "fun()",                                                                         \
    "Runs once, when parl.tok is known: sets variables of the file, which do not change later.")   \
  X(reset, true, "fun(rng: parl.Rng, params: table): table",                                       \
    "Makes the world of a task: plain data, frozen afterwards.")                                   \
  X(prompt, true, "fun(world: table): parl.Tokens, ...", "What the orchestrator reads first.")     \
  X(legal, false,                                                                                  \
    "fun(world: table, agent: parl.Agent, tool: string, slot: integer, taken: integer[], "         \
    "given: (integer|integer[])[]): integer[]?",                                                   \
    "Which values make sense for argument `slot` (from 1) of a call now; nil: all. taken: values " \
    "of its family that this turn has already. given: the call's arguments before it, a list for " \
    "a `+`. None ({}) for the first argument: the call is not offered; for a later one: the "      \
    "advice is dropped, and all are allowed.")                                                     \
  X(brief, true,                                                                                   \
    "fun(world: table, sub: parl.Agent, task: integer[], main: parl.Agent): parl.Tokens, ...",     \
    "A sub-agent begins: its first message. task has one entry a slot, or the values of the only " \
    "`many` slot.")                                                                                \
  X(deliver, true,                                                                                 \
    "fun(world: table, main: parl.Agent, sub: parl.Agent, finished: boolean): parl.Tokens, ...",   \
    "A sub-agent ended: takes over its findings, returns its message.")                            \
  X(score, true, "fun(world: table, main: parl.Agent): number, integer|table<string, number>",     \
    "r_perf in 0 to 1, and success, 0 or 1; or named numbers, of which success is one.")           \
  X(details, false, "fun(world: table, main: parl.Agent): table<string, number>",                  \
    "More named numbers about the outcome; asked for only where an episode is shown.")             \
  X(optimum, true, "fun(world: table): parl.Optimum", "What the best play would need.")            \
  X(family, false, "fun(world: table): string", "Kind of the task, for reports by family.")        \
  X(expert, false, "fun(world: table, agent: parl.Agent, style: string): any[][]|string, ...",     \
    "Calls of the next turn: {{\"search\", 3}}, {{\"assign_task\", 1, {3, 4}}}, {{\"finish\"}}; "  \
    "a single call also without the lists: \"search\", 3. \"launch\", 1, {{3, 4}, 5}, n: an "      \
    "assign_task for each of the first n groups (nil: all).")                                      \
  X(summarize, false, "fun(world: table, main: parl.Agent): parl.Tokens, ...",                     \
    "What to keep when the context policy `summary` drops the orchestrator's history.")

/* Keys of a parameter. X(name, type, doc) */
#define PARL_PARAM_LIST(X)                                                                  \
  X(choice, "string[]?", "The words allowed; then default is one of them.")                 \
  X(default, "number|boolean|string", "Also says the type: 3 is an integer, 3.0 a number.") \
  X(doc, "string?", "One line.")                                                            \
  X(max, "number?", "Largest value of a number.")                                           \
  X(min, "number?", "Least value of a number.")

/* Keys of a tool. X(name, type, doc) */
#define PARL_TOOL_LIST(X)                                                                       \
  X(args, "string[]", "Families of the arguments, \"row\" for one value, \"row+\" for a list.") \
  X(doc, "string", "One line.")                                                                 \
  X(max, "integer?", "Values of a list at most; 16 if absent.")                                 \
  X(run, "fun(world: table, agent: parl.Agent, ...): parl.Tokens, ...",                         \
    "The handler: gets the arguments, returns what the agent observes.")

/* Keys of a task. X(name, type, doc) */
#define PARL_TASK_LIST(X)                            \
  X(args, "string[]", "As of a tool; at least one.") \
  X(doc, "string?", "One line.")                     \
  X(max, "integer?", "As of a tool.")

/* Keys of limits. X(name, type, doc) */
#define PARL_LIMIT_LIST(X)                                                              \
  X(context, "integer", "Tokens that the orchestrator's context holds.")                \
  X(max_agents, "integer", "Configurations that create_subagent may register, 1 to 8.") \
  X(max_turns, "integer", "Turns of the orchestrator in an episode.")                   \
  X(max_width, "integer", "Sub-agents launched in one turn, 1 to 128.")                 \
  X(sub_context, "integer", "Tokens that a sub-agent's context holds.")                 \
  X(sub_steps, "integer", "Steps of one sub-agent.")

/* Keys of vision. X(name, type, doc) */
#define PARL_VISION_LIST(X)                                                   \
  X(frames, "integer?", "Of the longest clip, 2 to 4; nil: it returns none.") \
  X(height, "integer", "Of the highest image it returns, in pixels.")         \
  X(width, "integer", "Of the widest.")

/* Keys of what parl.source takes. X(name, type, doc) */
#define PARL_SOURCE_LIST(X)                                                                        \
  X(document,                                                                                      \
    "fun(rng: parl.Rng, params: table, augment: fun(w: integer, h: integer, unit: integer?): "     \
    "parl.Transform): (parl.Token|parl.Image)[], ...",                                             \
    "A document: lists that are in turn read and learnt, the first being read; what is learnt is " \
    "predicted from all that stands before it. It begins with <bos>, which is not returned. "      \
    "augment: the transform that is drawn for it, of pictures of that size, cut and scaled to "    \
    "multiples of `unit` pixels (nil: 1); it changes nothing where `sources.NAME.augment` says "   \
    "nothing.")                                                                                    \
  X(name, "string", "Its name.")                                                                   \
  X(params, "table<string, parl.Param>?", "What a recipe may set, as of an environment.")          \
  X(presets, "table<string, table<string, any>>?", "Named settings of params.")                    \
  X(summary, "string", "One line.")

/* Keys of what `optimum` returns. X(name, type, doc) */
#define PARL_OPTIMUM_LIST(X)                                                                       \
  X(critical, "integer", "Least critical steps for the best result.")                              \
  X(serial, "integer", "Steps of working alone.")                                                  \
  X(r_perf, "number", "The best r_perf that can be reached.")                                      \
  X(is, "\"exact\"|\"expected\"|\"bound\"|nil",                                                    \
    "What `critical` is: reached and least; a mean over the chance of episodes; or a lower "       \
    "bound, perhaps not reachable. nil: not stated.")                                              \
  X(bound, "boolean?", "True: the same as is = \"bound\".")                                        \
  X(width, "integer?",                                                                             \
    "Sub-agents of the widest launch of the play that takes `critical` steps; 0: it works alone. " \
    "nil: not stated.")

/* What of Lua's own library a script finds, by place. X(name) */
/* The formatter wraps these lists one way and then the other. */
/* clang-format off */
#define PARL_BASE_LIST(X) \
  X(assert) X(error) X(ipairs) X(pairs) X(pcall) X(print) X(select) X(tonumber) X(tostring) X(type)
#define PARL_MATH_LIST(X)                                                                        \
  X(abs)                                                                                         \
  X(acos) X(asin) X(atan) X(ceil) X(cos) X(deg) X(exp) X(floor) X(fmod) X(huge) X(log) X(max)    \
      X(maxinteger) X(min) X(mininteger) X(modf) X(pi) X(rad) X(sin) X(sqrt) X(tan) X(tointeger) \
          X(type) X(ult)
#define PARL_STRING_LIST(X)                                                                     \
  X(byte)                                                                                       \
  X(char) X(find) X(format) X(gmatch) X(gsub) X(len) X(lower) X(match) X(rep) X(reverse) X(sub) \
      X(upper)
#define PARL_TABLE_LIST(X) X(concat) X(insert) X(move) X(pack) X(remove) X(sort) X(unpack)
#define PARL_UTF8_LIST(X) X(char) X(charpattern) X(codepoint) X(codes) X(len) X(offset)
/* clang-format on */

#endif
