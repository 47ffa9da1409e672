/* cli/command_list.h - every verb and every option of the program, one row each.
 *
 * From these two lists come dispatch, the fields of cli_args, parsing with its checks of types and
 * ranges, `--help`, and the completion scripts. A new option is one row; a new verb is one row and
 * the function that it names. */
#ifndef PARL_CLI_COMMAND_LIST_H
#define PARL_CLI_COMMAND_LIST_H

/* GROUP(verb, summary, notes): a verb that has actions, which are rows of the same verb.
 * X(function, verb, action, operands, summary, notes): action "" for a verb without. Operands are
 * words in capitals, in brackets those that may be left out, with ... those that may be many.
 * Notes follow the options in --help. */
#define CLI_COMMAND_LIST(GROUP, X)                                                                \
  X(cmd_train, "train", "", "RECIPE",                                                             \
    "train every arm and seed of a recipe, evaluate, write the report",                           \
    "example: parl train experiments/recipes/quickstart.lua --set train.updates=50\n")            \
  X(cmd_sweep, "sweep", "", "SWEEP",                                                              \
    "train the points of a grid, of random, Sobol or Bayesian search over a recipe's fields",     \
    "A sweep is a Lua file: docs/sweeps.md. The same command again makes what is missing.\n"      \
    "method = \"pbt\" finds schedules of weights; early_terminate = { type = \"asha\" } prunes\n" \
    "points on the way, by unshaped r_perf.\n"                                                    \
    "example: parl sweep experiments/sweeps/lambda.lua --plan\n")                                 \
  X(sweep_plan, "sweep", "plan", "SWEEP|RECIPE",                                                  \
    "cut it into jobs for a batch system, xargs or mpirun: a folder with a manifest",             \
    "Points of bayes and the best anew depend on results: parl sweep makes them, once the jobs\n" \
    "are merged.\n"                                                                               \
    "example: parl sweep plan lambda -o jobs --per-job 4\n")                                      \
  X(sweep_run, "sweep", "run", "DIR",                                                             \
    "make the jobs of that folder which nobody has made or makes now, or one of them",            \
    "SIGUSR1, as a batch system sends before a limit, stops it after a checkpoint with exit "     \
    "code\n"                                                                                      \
    "75; the same command goes on.\n"                                                             \
    "example: seq 0 11 | xargs -P 4 -I{} parl sweep run jobs --index {} --quiet\n")               \
  X(sweep_sbatch, "sweep", "sbatch", "DIR",                                                       \
    "print a script for Slurm: an array of the jobs that are missing",                            \
    "example: parl sweep sbatch jobs >jobs.sh && sbatch --time=60 jobs.sh\n")                     \
  X(cmd_merge, "merge", "", "DIR", "copy the runs that jobs made into one run folder",            \
    "Again, it copies what came since. parl report, or the command that would have made all in\n" \
    "one place, goes on from there.\n"                                                            \
    "example: parl merge jobs -o runs/lambda\n")                                                  \
  X(cmd_eval, "eval", "", "RECIPE", "play a checkpoint or a scripted policy on held-out tasks",   \
    "")                                                                                           \
  X(cmd_counterfactual, "counterfactual", "", "CHECKPOINT",                                       \
    "what launches are worth to a policy: episodes with and without each of them",                \
    "Every launch of a held-out episode is left out once, and replaced by finish once; all "      \
    "chance\nstays. Printed are means of with - without, over launches, with 95 % intervals "     \
    "over tasks.\nsame: share of launches without which r_perf is the same, spurious "            \
    "parallelism; worse: is higher.\n"                                                            \
    "--orders: also what each assignment made over orders in which they come, recorded turns "    \
    "following:\nof two that do the same each half, where leaving out either changes nothing.\n"  \
    "example: parl counterfactual runs/dag/checkpoints/0.3a-s201.safetensors --episodes 200\n")   \
  X(cmd_schedule, "schedule", "", "RECIPE",                                                       \
    "draw the weights of every arm over the updates, before anything is trained",                 \
    "A schedule that looks at metrics is drawn for those that are assumed, and says so.\n"        \
    "example: parl schedule experiments/recipes/quickstart.lua --svg weights.svg\n")              \
  X(cmd_report, "report", "", "FOLDER [FOLDER...]",                                               \
    "write report.html, .md, .tex, .json, .csv and figures of run folders",                       \
    "A file of a sweep stands for the folder of its runs. Of several folders: an arm that is the" \
    "\nsame in two of them is one arm; arms of one name that are not get the folder's name; "     \
    "policies are\ncompared where environment, parameters and held-out tasks are the same.\n"     \
    "example: parl report runs/dag runs/wide_only -o both --pdf\n")                               \
  X(cmd_compare, "compare", "", "FOLDER[:ARM] FOLDER[:ARM]",                                      \
    "one policy against another, in the report's statistics",                                     \
    "ARM may be left out where a folder has one trained arm. Both play the same environment on "  \
    "the\nsame held-out tasks. --json has the same numbers.\n"                                    \
    "example: parl compare runs/dag:0.3a runs/dag:0 --metric critical_steps\n")                   \
  X(cmd_stats, "stats", "", "TABLE",                                                              \
    "aggregates, profiles and comparisons of any table of scores, with intervals",                \
    "The first line names the columns task, algorithm, seed, score, in any order; every "         \
    "algorithm\nneeds every task, and may have its own number of seeds. docs/statistics.md says " \
    "how each number\nis made.\n"                                                                 \
    "example: parl stats scores.csv --taus 0,0.25,0.5,0.75,1 --json\n")                           \
  X(cmd_score, "score", "", "FILE",                                                               \
    "terms and costs of episodes that any system recorded, a line of JSON each",                  \
    "A line is at least {\"id\":1, \"r_perf\":0.7, \"stages\":[{\"main_steps\":1, \"subs\":\n"    \
    "[{\"steps\":3, \"finished\":true, \"task\":\"row 4\"}]}]}; FILE - is standard input. With "  \
    "--json\nan object for each line, in their order; without, means and detectors. What else a " \
    "line may\nsay: docs/reward-research.md.\n"                                                   \
    "example: parl score episodes.jsonl --parallel-cap 10 --json\n")                              \
  X(cmd_runs, "runs", "", "FOLDER",                                                               \
    "list the runs of a folder, planned ones too, or make room for others",                       \
    "status: pending, running, done; failed: stays so until --retry-failed; stopped: the same\n"  \
    "command goes on; lost: its process ended without a word, the same command goes on; "         \
    "retired.\n"                                                                                  \
    "--json prints one object a line: uid, recipe, arm, seed, status, holder (who trains it),\n"  \
    "error, trained, update of updates, r_perf (of the evaluation, or of the last update), "      \
    "time_s\n"                                                                                    \
    "(updates and evaluations), hash, revision, config. What is not known is null.\n"             \
    "--remove and --retire name the runs first; a run that is being trained is refused.\n")       \
  X(cmd_replay, "replay", "", "FOLDER EPISODE",                                                   \
    "play a stored episode again, compare it with its row, show it",                              \
    "EPISODE is the number of a held-out task, from 0; with --update, the place among the\n"      \
    "episodes of that update, which a run keeps as train.store_episodes says. Exit code 1 if\n"   \
    "anything differs from what is stored, or what played it is gone.\n"                          \
    "example: parl replay runs/quickstart 17 --arm annealed --seed 2\n")                          \
  X(cmd_trace, "trace", "", "FOLDER EPISODE",                                                     \
    "one episode as a picture: agents as lanes, the critical path, messages",                     \
    "EPISODE and its options are those of parl replay. The picture is of the turns that are\n"    \
    "stored; calls and messages are not, so the episode is played again for them: where that\n"   \
    "cannot be, it says why and shows the rest.\n"                                                \
    "example: parl trace runs/quickstart 17 --arm annealed --html episode.html\n")                \
  X(cmd_serve, "serve", "", "FOLDER",                                                             \
    "show a run folder as a web page on this machine: runs, live curves, arms, episodes",         \
    "The page is at 127.0.0.1, for this machine only, and reads: nothing can be changed by it.\n" \
    "Of another machine: ssh -L 8080:127.0.0.1:8080 HOST. Ends with Ctrl-C.\n"                    \
    "example: parl serve runs/quickstart --port 8080\n")                                          \
  GROUP("env", "write and try environments",                                                      \
        "example: parl env new orchard && parl env check orchard.lua\n"                           \
        "The tutorial is docs/writing-environments.md.\n")                                        \
  X(env_new, "env", "new", "NAME",                                                                \
    "write NAME.lua, a recipe and a test for it, and settings for the editor", "")                \
  X(env_check, "env", "check", "FILE",                                                            \
    "is it sound? calls everything, plays it again and again; exit code 1 if not", "")            \
  X(env_play, "env", "play", "FILE", "show an episode, sub-agents side by side", "")              \
  X(env_bench, "env", "bench", "FILE", "episodes and agent steps per second on one core", "")     \
  GROUP("data", "look at the documents that a recipe pretrains on",                               \
        "docs/data.md says where they come from.\n")                                              \
  X(data_hash, "data", "hash", "RECIPE", "one SHA-256 of the documents of the first steps",       \
    "The same for any --threads, on any machine.\n"                                               \
    "example: parl data hash captions --batches 20\n")                                            \
  X(data_show, "data", "show", "RECIPE", "documents, their pictures, and what of them is learnt", \
    "What is learnt stands in [brackets].\n"                                                      \
    "example: parl data show captions --source pictures --documents 2\n")                         \
  X(data_stats, "data", "stats", "RECIPE", "tokens by source, how many are learnt, how full",     \
    "due: the source's part of the weights; share: of the tokens.\n"                              \
    "example: parl data stats captions --batches 100\n")                                          \
  GROUP("model", "count, compare, publish a model",                                               \
        "docs/models.md says what is published how.\n")                                           \
  X(model_describe, "model", "describe", "DIR|k25|RECIPE",                                        \
    "parameters, FLOPs a token, bytes of cache, memory to train", "")                             \
  X(model_logits, "model", "logits", "DIR", "logits and gradients of a published folder", "")     \
  X(model_features, "model", "features", "DIR",                                                   \
    "what a folder's vision tower makes of images, and gradients",                                \
    "IN.safetensors holds pixel_values [N,3,p,p] and grid_thw [items,3], and for gradients of\n"  \
    "sum(features cotangent) cotangent [M,C]. OUT holds features [M,C]. docs/vision.md\n")        \
  X(model_export, "model", "export", "CHECKPOINT|DIR",                                            \
    "write a published folder from a run's checkpoint, or anew", "")                              \
  X(cmd_bench, "bench", "", "", "measure kernels, engine and scoring on this machine",            \
    "rows are train_SHAPE, decode_SHAPE and decode_bf16_SHAPE; shapes are quickstart, A, B\n"     \
    "and of A and B the variants _mqa, _mla, _moe, _mla_moe. LIST has rows, shapes, A or B\n"     \
    "with all variants, ops, or score: recorded episodes, one by one, as columns, as lines.\n"    \
    "Of large shapes, which take gigabytes, and minutes a repetition on a CPU, those are\n"       \
    "measured that LIST names: 124M, 124M_gqa with 4 key heads, 1B_mla_moe with 32 experts.\n"    \
    "The peak is that of the same threads just before and after a row. docs/performance.md\n"     \
    "explains the columns.\n")                                                                    \
  X(bench_dep, "bench", "dep", "",                                                                \
    "training with images: the tower inside of slices, or decoupled, dealt out or balanced",      \
    "a row for text alone, inside, unbalanced, balanced, at each share of visual tokens; the\n"   \
    "last three compute the same gradient. docs/performance.md explains the columns.\n"           \
    "example: parl bench dep --visual 30 --threads 4\n")                                          \
  X(cmd_doctor, "doctor", "", "", "say what this machine and build have, and what is absent", "") \
  X(cmd_completion, "completion", "", "SHELL [WORD...]",                                          \
    "print the completion script for bash, zsh or fish",                                          \
    "put it where the shell looks, as make install does, or: eval \"$(parl completion "           \
    "bash)\"\nSHELL words prints what can follow on a command line; the scripts ask it.\n")       \
  X(cmd_help, "help", "", "[TOPIC] [ACTION]",                                                     \
    "explain a verb, a recipe's fields (recipe, reward, schedule), an environment or a recipe",   \
    "")

/* X(type, field, name, letter, value, low, high, preset, uses, doc)
 *   type   FLAG bool · TEXT const char *, NULL if absent · CHOICE the same, one of value "a|b|c" ·
 *          LIST const char *field[n_field], may be repeated · COUNT int64_t in [low, high] ·
 *          REAL double in (low, high]; for COUNT and REAL an absent option leaves the preset, which
 *          may lie outside the range to tell
 *   name   "--name"; letter 'o' for "-o" too, or 0
 *   value  what it is called in help, which completes it as well (FILE, DIR, KEY=VALUE); NULL for
 *          FLAG
 *   uses   the commands that take it: "train env.check"; "model" means all its actions
 * MORE(...) has the same columns and adds no field: the option as other commands take it. */
#define CLI_OPTION_LIST(X, MORE)                                                                   \
  X(LIST, sets, "set", 0, "[ARM:]KEY=VALUE", 0, 0, 0,                                              \
    "train eval schedule counterfactual score data",                                               \
    "override a recipe field of every arm, or of one; may be repeated")                            \
  MORE(LIST, sets, "set", 0, "KEY=VALUE", 0, 0, 0, "sweep sweep.plan",                             \
       "override a field of the recipe that does not vary; may be repeated")                       \
  MORE(LIST, sets, "set", 0, "KEY=VALUE", 0, 0, 0, "env.check env.play env.bench",                 \
       "env.params.NAME or another recipe field; may be repeated")                                 \
  X(FLAG, plan, "plan", 0, NULL, 0, 0, 0, "train sweep",                                           \
    "print what would be made and what differs between arms; make nothing")                        \
  X(COUNT, jobs, "jobs", 0, "N", 1, 1024, 0, "sweep",                                              \
    "threads, a run on each; default: run.threads, or one for each processor")                     \
  X(FLAG, retry_failed, "retry-failed", 0, NULL, 0, 0, 0, "train sweep sweep.run",                 \
    "make runs that failed before again; without it they stay failed")                             \
  X(CHOICE, log, "log", 0, "tensorboard|jsonl", 0, 0, 0, "train sweep",                            \
    "write the metrics of every update for other programs, too: FOLDER/tensorboard or /jsonl")     \
  X(TEXT, remove, "remove", 0, "ARM", 0, 0, 0, "runs",                                             \
    "delete an arm's runs, their metrics, episodes and checkpoints; retired ones if no others")    \
  X(TEXT, retire, "retire", 0, "ARM", 0, 0, 0, "runs",                                             \
    "set an arm's runs aside: out of the report and of the way, until a recipe plans them")        \
  X(TEXT, checkpoint, "checkpoint", 0, "FILE", 0, 0, 0, "eval",                                    \
    "policy to play, as its own arm and seed say; default: the warm start")                        \
  X(TEXT, recipe, "recipe", 0, "RECIPE", 0, 0, 0, "counterfactual",                                \
    "recipe of the checkpoint; default: what it says, as a name")                                  \
  X(CHOICE, at, "at", 0, "launch|assignment", 0, 0, 0, "counterfactual",                           \
    "what is left out; default: launch")                                                           \
  X(CHOICE, after, "after", 0, "policy|replay", 0, 0, 0, "counterfactual",                         \
    "who goes on: the policy, or the turns as they were recorded; default: policy")                \
  X(COUNT, orders, "orders", 0, "N", 1, 1000, 0, "counterfactual",                                 \
    "share out among assignments what all made, over N orders of them; default: not")              \
  X(TEXT, arm, "arm", 0, "ARM", 0, 0, 0, "eval counterfactual",                                    \
    "configuration; default: the checkpoint's own, else the first")                                \
  MORE(TEXT, arm, "arm", 0, "ARM", 0, 0, 0, "data", "configuration; default: the first")           \
  X(COUNT, batches, "batches", 0, "N", 1, 1000000, 1, "data.hash data.stats", "steps")             \
  X(TEXT, source, "source", 0, "NAME", 0, 0, 0, "data.show", "of this source; default: of each")   \
  X(COUNT, documents, "documents", 0, "N", 1, 1000000, 3, "data.show", "of a source")              \
  X(FLAG, held_out, "held-out", 0, NULL, 0, 0, 0, "data.show", "those that are never learnt")      \
  X(TEXT, init, "init", 0, "CHECKPOINT", 0, 0, 0, "train",                                         \
    "what models begin as, in place of chance: pretrain.init of every arm")                        \
  X(TEXT, extend, "extend", 0, "CHECKPOINT", 0, 0, 0, "train",                                     \
    "the same for a longer context, a stage of YaRN: pretrain.extend of every arm")                \
  X(TEXT, style, "style", 0, "STYLE", 0, 0, 0, "eval", "play this scripted expert instead")        \
  X(COUNT, tasks, "tasks", 0, "N", 1, 1000000, 0, "eval", "held-out tasks; default: eval.tasks")   \
  X(TEXT, reference, "reference", 0, "ARM", 0, 0, 0, "report",                                     \
    "policy that differences are taken from; default: the first whose lambdas stay 0")             \
  X(TEXT, metric, "metric", 0, "SCORE", 0, 0, 0, "compare",                                        \
    "score of the report, as report.csv names it; default: r_perf")                                \
  X(FLAG, pdf, "pdf", 0, NULL, 0, 0, 0, "report",                                                  \
    "every figure as PDF too, by rsvg-convert, inkscape or chromium, whichever is there")          \
  X(FLAG, plain, "plain", 0, NULL, 0, 0, 0, "report",                                              \
    "a page without scripts: smaller, its charts plain drawings")                                  \
  X(COUNT, seed, "seed", 0, "N", 0, 9007199254740991, 1, "env.check env.play env.bench",           \
    "which task; of check, which tasks")                                                           \
  MORE(COUNT, seed, "seed", 0, "N", 0, 9007199254740991, -1, "eval counterfactual",                \
       "whose warm start the sub-agents are; default: the checkpoint's own, else the first")       \
  MORE(COUNT, seed, "seed", 0, "N", 0, 9007199254740991, -1, "data",                               \
       "of the run; default: run.seed")                                                            \
  MORE(COUNT, seed, "seed", 0, "N", 0, 9007199254740991, 1, "stats", "of the resamples")           \
  X(COUNT, resamples, "resamples", 0, "N", 1, 100000000, 50000, "stats",                           \
    "random resamples behind each interval")                                                       \
  MORE(TEXT, arm, "arm", 0, "ARM", 0, 0, 0, "replay trace", "name of the run; default: the first") \
  MORE(COUNT, seed, "seed", 0, "N", 0, 9007199254740991, -1, "replay trace",                       \
       "of the run; default: the arm's first")                                                     \
  X(COUNT, update, "update", 0, "N", 0, 10000000, -1, "replay trace",                              \
    "a training episode, of this update; default: an evaluated one")                               \
  X(FLAG, greedy, "greedy", 0, NULL, 0, 0, 0, "replay trace", "of the greedy evaluation")          \
  X(TEXT, env, "env", 0, "FILE", 0, 0, 0, "replay trace",                                          \
    "where the environment is; default: as the run named it")                                      \
  X(TEXT, taus, "taus", 0, "LIST", 0, 0, 0, "stats",                                               \
    "scores at which the profiles are read, e.g. 0,0.5,1; default: 0 to 1 by 0.1")                 \
  X(TEXT, parallel, "parallel", 0, "KIND", 0, 0, 0, "score",                                       \
    "definition of r_parallel, as reward.parallel; default: instantiation")                        \
  X(TEXT, finish, "finish", 0, "KIND", 0, 0, 0, "score",                                           \
    "definition of r_finish, as reward.finish; default: returned")                                 \
  X(COUNT, parallel_cap, "parallel-cap", 0, "N", 1, 10000, 0, "score",                             \
    "launches that earn the full instantiation reward; default: 12")                               \
  MORE(TEXT, recipe, "recipe", 0, "RECIPE", 0, 0, 0, "score",                                      \
       "add the reward: the total by the recipe's definitions, terms and weights")                 \
  MORE(TEXT, arm, "arm", 0, "ARM", 0, 0, 0, "score", "of --recipe; default: the first")            \
  MORE(COUNT, update, "update", 0, "N", 0, 10000000, -1, "score",                                  \
       "of --recipe, whose weights; default: 0, the first")                                        \
  X(FLAG, skip_bad, "skip-bad", 0, NULL, 0, 0, 0, "score",                                         \
    "leave out lines that are no episodes, and say how many; without it the first ends it")        \
  MORE(COUNT, threads, "threads", 0, "N", 1, 1024, 1, "sweep.sbatch", "processors of a job")       \
  X(COUNT, threads, "threads", 0, "N", 1, 1024, 0, "score",                                        \
    "workers; the output is the same for any number; default: one a processor")                    \
  MORE(COUNT, threads, "threads", 0, "N", 1, 16, 0, "bench.dep",                                   \
       "workers, a sixteenth of a batch each at most; default: one a processor, up to 16")         \
  MORE(COUNT, threads, "threads", 0, "N", 1, 1024, 0, "data",                                      \
       "workers; default: run.threads, or one a processor")                                        \
  X(COUNT, visual, "visual", 0, "PERCENT", 1, 90, 0, "bench.dep",                                  \
    "share of visual tokens; default: 10, 30 and 50, one after another")                           \
  X(TEXT, as, "as", 0, "STYLE", 0, 0, 0, "env.play",                                               \
    "an expert style, random, or a checkpoint file; default: greedy_wide")                         \
  MORE(TEXT, as, "as", 0, "STYLE", 0, 0, 0, "env.bench",                                           \
       "an expert style or random; default: all of them")                                          \
  X(FLAG, interactive, "interactive", 0, NULL, 0, 0, 0, "env.play",                                \
    "you choose the calls; words from standard input")                                             \
  MORE(COUNT, tasks, "tasks", 0, "N", 2, 10000, 0, "env.check",                                    \
       "tasks that experts play, fewer where reset is slow; default: 24")                          \
  X(COUNT, episodes, "episodes", 0, "N", 10, 10000000, 0, "env.check",                             \
    "random episodes, fewer where reset is slow; default: 1000")                                   \
  MORE(COUNT, episodes, "episodes", 0, "N", 1, 1000000, 0, "counterfactual",                       \
       "held-out tasks, an episode of each; default: eval.tasks")                                  \
  X(FLAG, hash, "hash", 0, NULL, 0, 0, 0, "env.check",                                             \
    "print the hash of all traces only, to compare machines")                                      \
  X(REAL, seconds, "seconds", 0, "S", 0, 3600, 1, "env.bench", "time given to each style")         \
  X(FLAG, strict, "strict", 0, NULL, 0, 0, 0, "env.check env.play env.bench",                      \
    "count instructions: every limit is the same on every machine")                                \
  X(FLAG, isolate, "isolate", 0, NULL, 0, 0, 0, "env.check env.play env.bench",                    \
    "run the script in a process of its own, under the system's limits")                           \
  X(TEXT, layout, "layout", 0, "LIST", 0, 0, 0, "model.describe",                                  \
    "memory of each device, e.g. tp=8,ep=32,pp=16,dp=4; of a model that sees, also steps "         \
    "simulated")                                                                                   \
  X(TEXT, tokens, "tokens", 0, "FILE", 0, 0, 0, "model.logits",                                    \
    "{\"tokens\": [[...], ...]}, lists of equal length; \"targets\" of what is due, -1: no loss")  \
  X(LIST, media, "media", 0, "FILE", 0, 0, 0, "model.logits model.features",                       \
    "items to look at: PNG, JPEG, or safetensors with pixel_values, grid_thw; may be repeated")    \
  X(TEXT, output, "output", 'o', "FILE", 0, 0, 0, "model.logits model.features",                   \
    "the safetensors file to write")                                                               \
  MORE(TEXT, output, "output", 'o', "DIR", 0, 0, 0, "model.export", "the folder, which is new")    \
  MORE(TEXT, output, "output", 'o', "DIR", 0, 0, 0, "report",                                      \
       "where the files go, made if it is absent; default: the only FOLDER")                       \
  MORE(TEXT, output, "output", 'o', "DIR", 0, 0, 0, "sweep.plan",                                  \
       "the folder of jobs; default: NAME-jobs")                                                   \
  MORE(TEXT, output, "output", 'o', "DIR", 0, 0, 0, "merge",                                       \
       "the run folder; default: where one command would have made them")                          \
  X(COUNT, per_job, "per-job", 0, "N", 1, 1000000, 1, "sweep.plan",                                \
    "trained runs in a job, which share warm starts and threads")                                  \
  X(COUNT, index, "index", 0, "I", 0, 1000000000, -1, "sweep.run", "this job only, from 0")        \
  X(COUNT, warning, "warning", 0, "S", 10, 86400, 120, "sweep.sbatch",                             \
    "seconds before the limit at which a job is told to stop")                                     \
  X(FLAG, grads, "grads", 0, NULL, 0, 0, 0, "model.logits", "add the loss and every gradient")     \
  X(TEXT, shapes, "shapes", 0, "LIST", 0, 0, 0, "bench",                                           \
    "what to measure, below; A,decode_B_mqa,ops for example; default: all but large shapes")       \
  X(TEXT, backend, "backend", 0, "NAME", 0, 0, 0, "model.logits model.features bench bench.dep",   \
    "cpu, cpu:LEVEL as parl doctor lists them, or ref; default: cpu")                              \
  X(CHOICE, dtype, "dtype", 0, "f32|bf16|auto", 0, 0, 0, "model.logits model.features",            \
    "type of the products; default: f32")                                                          \
  MORE(CHOICE, dtype, "dtype", 0, "f32|bf16", 0, 0, 0, "model.export",                             \
       "type of the weights; default: f32")                                                        \
  MORE(CHOICE, dtype, "dtype", 0, "f32|bf16|auto", 0, 0, 0, "bench bench.dep",                     \
       "type of the products; auto: bf16 if the CPU has units; default: auto with cpu")            \
  X(COUNT, shard_size, "shard-size", 0, "BYTES", 1, 9007199254740992, 5000000000, "model.export",  \
    "most bytes of weights in a file")                                                             \
  MORE(REAL, seconds, "seconds", 0, "S", 0, 3600, 3, "bench",                                      \
       "time given to each row but those of ops")                                                  \
  MORE(REAL, seconds, "seconds", 0, "S", 0, 3600, 3, "bench.dep", "time given to each share")      \
  X(TEXT, save, "save", 0, "FILE", 0, 0, 0, "bench", "keep the result")                            \
  X(TEXT, compare, "compare", 0, "FILE", 0, 0, 0, "bench",                                         \
    "print each row's ratio to a kept result, with both spreads")                                  \
  X(REAL, fail_below, "fail-below", 0, "RATIO", 0, 1000, 0, "bench",                               \
    "exit code 1 if a ratio is less")                                                              \
  X(FLAG, force, "force", 0, NULL, 0, 0, 0, "bench", "--save may overwrite")                       \
  MORE(FLAG, force, "force", 0, NULL, 0, 0, 0, "schedule", "--svg may overwrite")                  \
  MORE(FLAG, force, "force", 0, NULL, 0, 0, 0, "trace env.play", "--html may overwrite")           \
  X(TEXT, html, "html", 0, "FILE", 0, 0, 0, "trace env.play", "write a page of its own instead")   \
  X(TEXT, svg, "svg", 0, "FILE", 0, 0, 0, "schedule", "write the curves as a picture, too")        \
  X(LIST, assume, "assume", 0, "METRIC=VALUE", 0, 0, 0, "schedule",                                \
    "what a metric is, or FROM..TO over the updates; may be repeated")                             \
  X(COUNT, columns, "columns", 0, "N", 60, 200, 100, "schedule", "width of the drawing")           \
  MORE(COUNT, columns, "columns", 0, "N", 60, 200, 0, "trace",                                     \
       "width of the drawing; default: the terminal's, else 100")                                  \
  X(TEXT, program, "program", 0, "FILE", 0, 0, 0, "completion",                                    \
    "what the script asks if the word on the line is no program; default: this one")               \
  X(FLAG, json, "json", 0, NULL, 0, 0, 0,                                                          \
    "train sweep sweep.plan sweep.run merge eval schedule report compare stats score runs replay " \
    "trace env.check env.play env.bench model.describe model.export bench bench.dep doctor "       \
    "counterfactual data",                                                                         \
    "machine-readable result on standard output")                                                  \
  X(FLAG, quiet, "quiet", 0, NULL, 0, 0, 0,                                                        \
    "train sweep sweep.plan sweep.run merge eval report replay trace env.check env.play "          \
    "env.bench model bench bench.dep counterfactual",                                              \
    "no progress and no log")                                                                      \
  X(COUNT, port, "port", 0, "N", 0, 65535, 8080, "serve",                                          \
    "of 127.0.0.1; 0: any that is free; default: 8080")                                            \
  X(CHOICE, live, "live", 0, "screen|line", 0, 0, 0, "train sweep sweep.run",                      \
    "what a terminal shows of the progress; default: a screen if it is 60 by 12 or larger")        \
  X(FLAG, help, "help", 'h', NULL, 0, 0, 0, "*", "explain the command")

#endif
