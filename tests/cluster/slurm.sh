#!/bin/sh
# Jobs of a sweep under a real Slurm, a controller and a node on this machine: an array, a job that is warned of its
# limit and put into the queue again, one that is killed; merged, they are what one command makes.
set -u
# shellcheck source=tests/cli_support.sh
. "$ROOT/tests/cli_support.sh"
cd "$SCRATCH" || exit 1
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || {
    echo "skip slurm: no $program here"
    exit 0
  }
done
[ "$(id -u)" = 0 ] || {
  echo "skip slurm: its daemons want to be root"
  exit 0
}

# --- a cluster of one ---
c=$SCRATCH/cluster
host=$(hostname -s)
mkdir -p "$c/state" "$c/spool" "$c/munge"
head -c 1024 /dev/urandom >"$c/munge/key"
chmod 600 "$c/munge/key"
chmod 700 "$c/munge"
chown root "$c" "$c/munge" 2>/dev/null
cat >"$c/slurm.conf" <<X
ClusterName=parl
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$c/munge/socket
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$c/state
SlurmdSpoolDir=$c/spool
SlurmctldPidFile=$c/slurmctld.pid
SlurmdPidFile=$c/slurmd.pid
SlurmctldLogFile=$c/slurmctld.log
SlurmdLogFile=$c/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=parl Nodes=$host Default=YES MaxTime=INFINITE State=UP
X
export SLURM_CONF="$c/slurm.conf"
# shellcheck disable=SC2317
stop() {
  scontrol shutdown >/dev/null 2>&1
  for pid in slurmctld slurmd munge/munged; do
    [ -s "$c/$pid.pid" ] && kill "$(cat "$c/$pid.pid")" 2>/dev/null
  done
}
trap stop EXIT
munged --force --key-file="$c/munge/key" --socket="$c/munge/socket" --pid-file="$c/munge/munged.pid" \
  --log-file="$c/munge/log" --seed-file="$c/munge/seed" >"$c/up.log" 2>&1
chmod 755 "$c/munge"
slurmctld >>"$c/up.log" 2>&1
slurmd -N "$host" >>"$c/up.log" 2>&1
i=0
until sinfo -h -o %T 2>/dev/null | grep -q idle; do
  i=$((i + 1))
  [ $i -lt 150 ] || {
    tail -n 5 "$c"/*.log
    echo "skip slurm: its daemons do not start here"
    exit 0
  }
  sleep 0.2
done
echo "ok a node that waits for work"

# --- the work ---
cat >base.lua <<X
return {
  name = "base", run = { n_seeds = 2, threads = 1, seed = 11, dir = "whole", checkpoint_every = 5 },
  env = { file = "$ROOT/tests/envs/count.lua" },
  model = { n_layers = 1, d_model = 16, n_heads = 2, n_kv_heads = 2, head_dim = 8, d_ff = 32 },
  warm = { steps = 10, episodes = 8, mix = "serial=0.7,wide=0.3", probe = 0 },
  train = { updates = 400, tasks = 3, group = 4 },
  eval = { tasks = 10, baselines = "serial" },
  arms = { { name = "shaped" }, { name = "plain", lambda1 = { start = 0.0 } } },
}
X
is_over() { ! squeue -h -j "$1" 2>/dev/null | grep -q .; }
# submit: the script of what is missing; the job's number in $job
submit() {
  "$PARL" sweep sbatch jobs --warning 30 >jobs.sh || return 1
  job=$(sbatch --parsable --time=30 --output="$SCRATCH/%A-%a.log" jobs.sh)
}
field() { scontrol show job "$1" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1; }

code "one command" 0 "$PARL" train base.lua --quiet
code "plan" 0 "$PARL" sweep plan base.lua --set run.dir=merged -o jobs
submit && echo "ok submitted" || echo "not ok submitted"

# Job 1 is killed outright; job 0 is told of its limit when it has a checkpoint, goes back into the queue, and on from
# there.
begun() { [ -e "jobs/jobs/0000$1.part/checkpoints/$2" ] || [ -d "jobs/jobs/0000$1" ]; }
await begun 1 ""
pkill -9 -f -- "sweep run --quiet jobs --index 1" && echo "ok killed" || echo "skip killed: it was quicker"
await begun 0 shaped-s11.safetensors
timeout 2 scancel --signal=USR1 --batch "${job}_0" 2>/dev/null # sent once, it tries again in vain, for minutes
is_again() { [ "$(field "${job}_0" Restarts)" = 1 ] || [ -d jobs/jobs/00000 ]; }
await is_again
if [ "$(field "${job}_0" Restarts)" = 1 ]; then
  echo "ok warned: put into the queue again"
  has "warned: stopped after a checkpoint" "the same command continues" "$(cat "$job-0.log")"
  goes_on() { # the queue would wait two minutes
    scontrol update JobId="${job}_0" StartTime=now 2>/dev/null
    [ "$(field "${job}_0" Reason)" != BeginTime ]
  }
  await goes_on
else
  echo "skip warned: it was quicker"
fi
await is_over "$job"
[ -d jobs/jobs/00000 ] && echo "ok warned: made in the end" ||
  echo "not ok warned: made in the end: $(cat "$job-0.log")"
code "merge: what there is" 0 "$PARL" merge jobs

# The same again has what is missing, or nothing.
if submit 2>/dev/null; then
  has "again: only what is missing" "# 1 of 4 jobs" "$(cat jobs.sh)"
  await is_over "$job"
fi
code "merge: the rest" 0 "$PARL" merge jobs --json
has "merge: all jobs" '"unsettled":0' "$(cat out)"
same "the runs that one command makes" "$(hashes whole)" "$(hashes merged)"
