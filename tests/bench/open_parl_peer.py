#!/usr/bin/env python3
"""parl bench's rows of scoring beside open-parl 0.1.0, in turns: part of `make bench-peers`, or
open_parl_peer.py --parl PROGRAM [--rounds N] [--seconds S] [--features F] [--one-core]

open-parl (PyTorch) takes tensors: a count of sub-agents, F features and a success for each episode
(compute_full_reward: r_parallel, the mean of the features, the total and its parts), and steps [episodes, 4 stages,
8 sub-agents], padded with zeros (CriticalStepsMetric). Beside it: columns of counts (r_parallel, r_finish, the total),
and columns of stages (the same and both costs) of episodes of 1 to 4 stages of 0 to 8 sub-agents each; parl
in double precision, it in single. Speeds are the best of the rounds. --one-core: one thread each, timed by what the
processor gave.
Ends with one line, and code 0, where either is missing.
"""
import argparse
import json
import os
import subprocess
import time

try:
    import torch
    from parl import CriticalStepsMetric, PARLReward
except ImportError as error:
    print("bench-peers: scoring skipped, %s (pip install open-parl==0.1.0 torch)" % error)
    raise SystemExit(0)

STAGES, WIDTH = 4, 8


def make(n, features):
    """Functions that score n episodes once, by what they score."""
    torch.manual_seed(1)
    reward, metric = PARLReward(), CriticalStepsMetric()
    stages = torch.randint(1, STAGES + 1, (n, 1))
    main = (torch.arange(STAGES) < stages).float()
    widths = torch.randint(0, WIDTH + 1, (n, STAGES, 1)) * main[..., None].long()
    subs = torch.randint(0, 9, (n, STAGES, WIDTH)) * (torch.arange(WIDTH) < widths)
    steps, counts = subs.float(), widths.sum((1, 2))
    quality, success = torch.rand(n, features), torch.ones(n)

    def of_counts():
        return reward.compute_full_reward(counts, quality, success, 5000)

    return {"counts": of_counts, "stages": lambda: (of_counts(), metric(main, steps))}


def measure(once, n, seconds, clock):
    once()
    best, end = 0.0, time.perf_counter() + seconds
    while best == 0.0 or time.perf_counter() < end:
        start = clock()
        once()
        best = max(best, n / max(clock() - start, 1e-9))
    return best


def run_parl(args, row):
    command = [args.parl, "bench", "--json", "--shapes", row, "--seconds", str(args.seconds)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result["episodes_per_s"] / result["cpu_share"] if args.one_core else result["high"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parl", required=True, help="the program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each row in each round")
    parser.add_argument("--features", type=int, default=1, help="of an episode, of open-parl")
    parser.add_argument("--one-core", action="store_true")
    args = parser.parse_args()
    if args.one_core:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    clock = time.process_time if args.one_core else time.perf_counter
    print("open-parl 0.1.0, PyTorch %s, %d threads, %d feature(s); best of %d rounds, episodes/s" %
          (torch.__version__, torch.get_num_threads(), args.features, args.rounds))
    print("\n| episodes at once | of | open-parl | parl | ratio |\n|--:|---|--:|--:|--:|")
    for n in (1, 4096, 65536):
        for form, once in make(n, args.features).items():
            row = "score_%s_%d" % (form, n) if n > 1 else "score_one"
            theirs = ours = 0.0
            for _ in range(args.rounds):
                theirs = max(theirs, measure(once, n, args.seconds, clock))
                ours = max(ours, run_parl(args, row))
            print("| %d | %s | %.4g | %.4g | **%.1f** |" % (n, form, theirs, ours, ours / theirs), flush=True)


if __name__ == "__main__":
    main()
