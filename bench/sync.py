#!/usr/bin/env python3
"""How the music meets films: made ones of 5, 15 and 40 cuts a minute, 10 s to
10 min long, and any others named (videos or analysis.json).

    bench/sync.py EMSYNC FOLDER [FILM...] [--paper] [--longest S]

Plans, composes (one candidate) and judges each in FOLDER, and prints a table.
--paper also composes without guide and metre (--sync paper), to compare.
"""
import json
import math
import os
import pathlib
import random
import subprocess
import sys

RATES, LENGTHS, FPS = (5, 15, 40), (10, 60, 180, 600), 24


def made(rate, seconds):
    """An analysis with shots of log-normal length, as films have them
    (Cutting and others 2010), in scenes of some shots with a mood each."""
    r = random.Random(f"{rate} {seconds}")
    cuts, curve, at, left = [], [], 0.0, 0
    while True:
        if left == 0:
            left = r.randint(3, 8)
            mood = (r.uniform(-0.9, 0.9), r.uniform(-0.8, 0.8))
        curve.append({"time": round(at, 6), "valence": round(mood[0], 3),
                      "arousal": round(mood[1], 3)})
        left -= 1
        sigma = 0.65
        shot = r.lognormvariate(math.log(60 / rate) - sigma ** 2 / 2, sigma)
        at = round((at + max(shot, 0.25)) * FPS) / FPS
        if at >= seconds - 0.25:
            break
        kind = r.choices(("cut", "dissolve", "fade_in"), (18, 1, 1))[0]
        cuts.append({"time": round(at, 6), "kind": kind,
                     "strength": round(r.uniform(0.3, 1), 3)})
    shots = [c["time"] for c in cuts]
    return {
        "format": "emsync-analysis", "version": 1, "source": "made",
        "duration": seconds, "fps": FPS, "width": 640, "height": 360,
        "emotion": {"anger": 0, "disgust": 0, "fear": 0, "joy": 1,
                    "sadness": 0, "surprise": 0},
        "cuts": cuts, "curve": curve,
        "shots": [{"start": a, "end": b, "valence": 0, "arousal": 0,
                   "emotion": {"anger": 0, "disgust": 0, "fear": 0, "joy": 1,
                               "sadness": 0, "surprise": 0}, "features": {}}
                  for a, b in zip([0] + shots, shots + [seconds])],
    }


def films(folder, named, longest):
    for name in named:
        path = pathlib.Path(name)
        if path.suffix != ".json":
            path = folder / (pathlib.Path(name).stem + ".json")
            run("analyze", name, "-o", path)
        yield pathlib.Path(name).stem, path
    for seconds in (s for s in LENGTHS if s <= longest):
        for rate in RATES:
            path = folder / f"{rate:02d}-a-minute-{seconds:03d}s.json"
            path.write_text(json.dumps(made(rate, seconds)))
            yield f"made, {rate} cuts a minute", path


def run(*words):
    """Run EMSYNC; how many seconds of processor time it took."""
    start = sum(os.times()[2:4])
    done = subprocess.run([EMSYNC, *map(str, words), "-y"],
                          stdout=subprocess.DEVNULL, check=False,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr}")
    return sum(os.times()[2:4]) - start


def measure(folder, path, sync):
    stem = folder / path.stem
    plan, score = f"{stem}.{sync}.plan.json", f"{stem}.{sync}.mid"
    report = f"{stem}.{sync}.sync.json"
    seconds = run("plan", path, "-o", plan, "--sync", sync)
    subprocess.run([EMSYNC, "plan", "--check", plan], check=True,
                   stdout=subprocess.DEVNULL)
    seconds += run("compose", plan, "-o", score, "--candidates", "1")
    run("evaluate", "sync", plan, score, "--report", report)
    return json.loads(pathlib.Path(report).read_text()), seconds


def percent(x):
    return "-" if x is None else f"{100 * x:.0f} %"


def row(name, r, seconds):
    hits, cuts, chance = r["hits_met"], r["cuts_met"], r["chance"]
    tempo = r["tempo"]
    cells = [name, f"{r['duration']:.0f}", len(r["cuts"])]
    if hits:
        cells += [hits["moments"], percent(r["accepted"]),
                  percent(hits["within_frame"]), f"{hits['median_ms']:.1f}"]
    else:
        cells += [0, "-", "-", "-"]
    if cuts:
        cells += [f"{percent(cuts['within_frame'])} ({percent(chance['within_frame'])})"]
        cells += [f"{cuts['tbiou'][k]:.2f} ({chance['tbiou'][k]:.2f})"
                  for k in ("accents", "bars")]
    else:
        cells += ["-"] * 3
    cells += [f"{100 * tempo['largest_change']:.0f} %",
              percent(tempo["smooth_bars"]),
              f"{60 * seconds / r['duration']:.1f}"]
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    global EMSYNC
    words = sys.argv[1:]
    paper = "--paper" in words
    words = [w for w in words if w != "--paper"]
    longest = 1e9
    if "--longest" in words:
        at = words.index("--longest")
        longest = float(words[at + 1])
        del words[at:at + 2]
    if len(words) < 2:
        sys.exit(__doc__)
    EMSYNC, folder = words[0], pathlib.Path(words[1])
    folder.mkdir(parents=True, exist_ok=True)
    print("| film | s | cuts | hits | accepted | hits in a frame | median ms |"
          " cuts in a frame (chance) | TBIoU accents | TBIoU bars |"
          " largest tempo change | changes ≤ 4 % | CPU s for 60 s |")
    print("|---" * 13 + "|")
    for name, path in films(folder, words[2:], longest):
        row(name, *measure(folder, path, "exact"))
        if paper:
            row(name + ", paper", *measure(folder, path, "paper"))


main()
