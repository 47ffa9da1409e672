#!/bin/sh
# Every fault of an environment is loud: each edit of a sound one is named by `parl env check`, with its place.
set -u
cd "$SCRATCH" || exit 1
"$PARL" env new toy >/dev/null || exit 1

# fault NAME CHECK PART SED [OPTION...]: the edit makes a finding of CHECK that says PART.
fault() {
  name=$1 check=$2 part=$3 edit=$4
  shift 4
  sed -e "$edit" toy.lua >bad.lua
  if cmp -s toy.lua bad.lua; then
    echo "not ok $name: the edit changed nothing"
    return
  fi
  "$PARL" env check bad.lua --tasks 6 --episodes 100 --set env.callback_s=0.5 "$@" >out.txt 2>err.txt
  code=$?
  if [ "$code" -ne 1 ]; then
    echo "not ok $name: exit code $code: $(tail -n 3 out.txt err.txt | tr '\n' ' ')"
  elif ! grep -q "^FAULT *$check " out.txt; then
    echo "not ok $name: no fault of $check in: $(grep -A 1 FAULT out.txt | tr '\n' ' ')"
  elif ! grep -qF -- "$part" out.txt; then
    echo "not ok $name: no '$part' in: $(grep -A 1 FAULT out.txt | tr '\n' ' ')"
  else
    echo "ok $name"
  fi
}

"$PARL" env check toy.lua --tasks 6 --episodes 100 >out.txt 2>&1 && echo "ok the sound one passes" ||
  echo "not ok the sound one passes: $(grep -A 2 FAULT out.txt | tr '\n' ' ')"

# Names and types.
fault "misspelled callback" contract "unknown field 'scor' (did you mean 'score'?)" 's/^  score = score/  scor = score/'
fault "missing callback" contract "prompt: must be a function, not nil" '/^  prompt = prompt/d'
fault "unknown option" contract "unknown field 'colour'" 's/^  reset = reset/  colour = 3, reset = reset/'
fault "misspelled limit" contract "unknown field 'max_turn' (did you mean 'max_turns'?)" \
  's/max_turns = 64/max_turn = 64/'
fault "misspelled key of a tool" contract "unknown field 'arg' (did you mean 'args'?)" \
  's/args = {"tree"}, doc/arg = {"tree"}, doc/'
fault "misspelled family" contract "unknown family 'tre' (did you mean 'tree'?)" 's/args = {"tree"}/args = {"tre"}/'
fault "misspelled parameter" contract "unknown field 'params.tress_max' (did you mean 'params.trees_max'?)" \
  's/params.trees_max)/params.tress_max)/'
fault "misspelled token" grammar "did you mean 'parl.tok.word.nothing'" 's/tok.word.nothing/tok.word.nothin/'
fault "misspelled tool" experts "unknown tool 'pck' (did you mean 'pick'?)" \
  's/{{"pick", open\[1\]}}/{{"pck", open[1]}}/'
fault "argument out of its family" experts "has values 1 to 8" 's/{{"pick", open\[1\]}}/{{"pick", 9}}/'
fault "argument of a wrong type" experts "do not fit its \`args\`" 's/{{"pick", open\[1\]}}/{{"pick", "one"}}/'
fault "unknown role" experts "one of \`roles\`" 's/"create_subagent", 1, "picker"/"create_subagent", 1, "pickr"/'
fault "syntax error" contract "bad.lua:" 's/^local MAX_TREES/local local MAX_TREES/'
fault "no declaration" contract "must end with" 's/^return parl.env {/local _ = parl.env {/'
"$PARL" env check toy.lua --set env.params.tree_max=3 >out.txt 2>err.txt
if [ $? = 2 ] && grep -q "did you mean 'trees_max'" err.txt; then echo "ok unknown parameter set"; else
  echo "not ok unknown parameter set: $(cat err.txt)"; fi

# Rewards.
for value in '0/0 NaN' '1/0 infinite' '-0.5 negative' '1.5 high' '"1" text' 'nil absent'; do
  fault "reward: ${value#* }" reward "bad.lua:" "s|return n / world.total, {|return ${value% *}, {|"
done
fault "success is no flag" reward "success=0 or success=1" 's/success = n == world.total and 1 or 0/success = 0.5/'
fault "no details" reward "must return r_perf and" 's|return n / world.total, {.*|return n / world.total|'
fault "NaN among the details" reward "finite numbers are allowed" 's|{success = n == |{rate = 0/0, success = n == |'

# Shapes.
fault "prompt is a number" contract "must return a list of tokens, not number" 's/^  return tokens$/  return 3/'
fault "token out of range" contract "a token is an integer" 's/tok.count\[world.apples\[tree\]\]/12345/'
fault "token is a fraction" contract "a token is an integer" 's/tok.count\[world.apples\[tree\]\]/1.5/'
fault "token is a text" contract "a token is an integer" 's/tok.count\[world.apples\[tree\]\]/"apple"/'
fault "prompt too long" contract "returned 600 tokens" \
  's/^  return tokens$/  for i = 1, 600 do tokens[i] = 1 end return tokens/'
fault "prompt beyond the context" contract "the context holds 4" 's/context = 160/context = 4/'
fault "world is a number" contract "reset must return a table" 's/^  return world$/  return 3/'
fault "world with a function" contract "only plain data" 's/^  return world$/  world.f = function() end return world/'
fault "optimum without a field" optimum "must return {critical=steps" 's/, serial = world.total//'
fault "optimum above serial" optimum "working alone takes" \
  's/critical = math.min(world.total, 2 + longest)/critical = world.total + 5/'
fault "expert returns nothing" experts "must return a list" 's/^    return {{"pick", open\[1\]}}/    return nil/'

# An error, an endless loop, greed for memory in each callback.
for function in reset prompt pick legal brief deliver score optimum expert; do
  case $function in
    pick | brief | deliver) check=grammar ;;
    score) check=reward ;; optimum) check=optimum ;; expert) check=experts ;; *) check=contract ;;
  esac
  fault "error in $function" $check "bad.lua:" "/^local function $function(/s/\$/ error('boom')/"
  fault "endless loop in $function" limits "ran longer than 0.2 s" \
    "/^local function $function(/s/\$/ while true do end/" --set env.callback_s=0.2
  fault "memory of $function" limits "bytes of memory" \
    "/^local function $function(/s/\$/ local hoard = {} while true do hoard[#hoard + 1] = {{}} end/" \
    --set env.callback_s=20 --set env.memory_mib=8
  fault "instructions of $function" limits "instructions" \
    "/^local function $function(/s/\$/ while true do end/" --strict \
    --set env.callback_s=60 --set env.instructions=100000
done

# State that survives, order, chance.
fault "variable that survives" order "variable 'seen' of the function at bad.lua" \
  's/^local MAX_TREES/local seen = 0\n&/; s/^  local picked = progress(agent).picked/  seen = seen + 1\n&/'
fault "table that survives" order "the script's data is read-only" \
  's/^local MAX_TREES/local seen = {}\n&/; s/^  local picked = progress(agent).picked/  seen[#seen + 1] = tree\n&/'
fault "global that survives" order "declare variables with" \
  's/^  local picked = progress(agent).picked/  seen = tree\n&/'
fault "world that changes" order "a world does not change after reset" \
  's/^  local picked = progress(agent).picked/  world.apples[1] = 1\n&/'
fault "hidden state" contract "is an iterator of pairs or gmatch" \
  "s/^local MAX_TREES/local rain = ('12121112212'):rep(900):gmatch('%d')\\n&/
    s/rng:int(1, params.apples_max)/tonumber(rain() or 1)/"
fault "hidden state in a callback" pure "asked a second time" \
  "s/^local MAX_TREES/local n = 0\\n&/
    s/tok.count\[world.apples\[tree\]\]/tok.count[(function() n = n + 1 return 1 + n % 3 end)()]/"
fault "clock" contract "unknown global 'os'" 's/^  local world = {n_trees/  local now = os.time()\n&/'
fault "math.random" contract "math.random is not repeatable" 's/rng:int(1, params.apples_max)/math.random(1, 3)/'
fault "order of a table's addresses" contract "no deterministic order" \
  's/^  return world$/  for _ in pairs({[{}] = 1, [{}] = 2}) do error("x") end return world/'
fault "score draws" reward "no chance here" 's/^  local picked, n = progress(main).picked, 0/&  main.rng:int(1, 2)/'
fault "legal draws" contract "no chance here" \
  's/^  local state, trees, is_taken = progress(agent), {}, {}/&  agent.rng:int(1, 2)/'
fault "seeds change nothing" seeds "make the same task" \
  's/rng:int(params.trees_min, params.trees_max)/4/; s/rng:int(1, params.apples_max)/2/'

# Handlers, agents, ends, the optimum.
fault "handler refuses what the grammar allows" grammar "the orchestrator calls pick tree:" \
  's/^    return {tok.word.nothing}/    error("there is no such tree")/'
fault "sub-agents share a table" isolation "is also agent.state.picked of agent" \
  's/^  state.task = task/  state.task, state.picked = task, theirs.picked/'
fault "a sub-agent keeps the orchestrator" isolation "agent.state.boss of agent 1 is also the agent itself of agent 0" \
  's/^  state.task = task/  state.task, state.boss = task, main/'
fault "an episode without end" termination "no expert ever calls finish" 's/return {{"finish"}}/return {{"pick", 1}}/'
fault "success too cheap" optimum "optimum says that" \
  's/picked\[tree\] = (picked\[tree\] or 0) + 1/picked[tree] = world.apples[tree]/'
fault "r_perf above the best" optimum "is the best" \
  's/serial = world.total, r_perf = 1/serial = world.total, r_perf = 0.5/'
fault "a group that cannot be written" experts "expert style" \
  's/^    calls\[i\] = {"assign_task", 1, {tree}}/    calls[i] = {"assign_task", 2, {tree}}/'

# In an episode a failure names file, line, seeds and step, and gives no reward.
sed 's/^  local picked = progress(agent).picked/  error("boom")\n&/' toy.lua >bad.lua
"$PARL" env play bad.lua --as serial --seed 7 --json >out.txt 2>err.txt
code=$?
line=$(grep -n 'error("boom")' bad.lua | cut -d: -f1)
seen="task seed 7, episode seed 7, after 1 turns and 1 steps: bad.lua:$line: boom"
if [ $code = 1 ] && [ ! -s out.txt ] && grep -q "$seen" err.txt; then echo "ok a failing episode names its place"
else echo "not ok a failing episode names its place: code $code, $(cat err.txt)"; fi
