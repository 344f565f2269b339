#!/usr/bin/env python3
"""How the music meets films: made ones of 5, 15 and 40 cuts a minute, 10 s to
10 min long, and any others named (videos or analysis.json).

    bench/sync.py EMSYNC FOLDER [FILM...] [--longest S] [--candidates N]

Plans each film once, composes that plan with each layer of synchronisation
(paper: conditioning alone; guided: and the guide; exact: and the tempo map),
and judges them in FOLDER. Prints what was met layer by layer, then the plans,
then statistics of the music with hits and without, and the time it took.
"""
import argparse
import json
import math
import os
import pathlib
import random
import subprocess
import sys

LENGTHS = {5: (10, 60, 180), 15: (10, 60, 180, 600), 40: (10, 60, 180)}
FPS = 24
LAYERS = ("paper", "guided", "exact")


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
    for rate, lengths in LENGTHS.items():
        for seconds in (s for s in lengths if s <= longest):
            path = folder / f"{rate:02d}-a-minute-{seconds:03d}s.json"
            path.write_text(json.dumps(made(rate, seconds)))
            yield f"made, {rate} a minute", path


def run(*words, stdout=subprocess.DEVNULL):
    """Run EMSYNC; what it printed and the processor seconds it took."""
    start = sum(os.times()[2:4])
    done = subprocess.run([EMSYNC, *map(str, words)], stdout=stdout,
                          check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr}")
    return done.stdout, sum(os.times()[2:4]) - start


def with_changes(plan, path, **changes):
    path.write_text(json.dumps({**plan, **changes}))
    return path


def measure(folder, path, candidates):
    """Reports by layer, the processor seconds of the last one, and the
    folders of scores with and without hits."""
    stem = path.stem
    file = folder / f"{stem}.exact.plan.json"
    _, planning = run("plan", path, "-o", file, "-y")
    run("plan", "--check", file)
    plan = json.loads(file.read_text())
    reports, seconds = {}, planning
    for layer in LAYERS:
        asked = with_changes(plan, folder / f"{stem}.{layer}.plan.json",
                             sync=layer)
        score = folder / layer / f"{stem}.mid"
        report = folder / f"{stem}.{layer}.sync.json"
        _, composing = run("compose", asked, "-o", score, "--candidates",
                           candidates, "-y")
        run("evaluate", "sync", asked, score, "--report", report, "-y")
        reports[layer] = json.loads(report.read_text())
        seconds = planning + composing
    free = with_changes(plan, folder / f"{stem}.free.plan.json", hits=[])
    run("compose", free, "-o", folder / "no hits" / f"{stem}.mid",
        "--candidates", candidates, "-y")
    return reports, 60 * seconds / plan["duration"]


def percent(x):
    return "-" if x is None else f"{100 * x:.0f} %"


def line(*cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def head(*cells):
    line(*cells)
    print("|---" * len(cells) + "|")


def print_layers(found):
    """Every film, every layer; by chance in brackets."""
    head("film", "s", "cuts", "layer", "hits in a frame", "median ms",
         "cuts in a frame (chance)", "in 100 ms", "in 1 s", "TBIoU accents",
         "TBIoU bars", "largest tempo change", "changes ≤ 4 %")
    for name, reports, _ in found:
        for layer, r in reports.items():
            hits, cuts, chance = r["hits_met"], r["cuts_met"], r["chance"]
            first = layer == LAYERS[0]
            cells = [name, f"{r['duration']:.0f}", len(r["cuts"])]
            cells = (cells if first else [""] * 3) + [layer]
            cells += ([percent(hits["within_frame"]),
                       f"{hits['median_ms']:.1f}"] if hits else ["-"] * 2)
            if cuts:
                cells += [f"{percent(cuts[k])} ({percent(chance[k])})"
                          for k in ("within_frame", "within_100ms",
                                    "within_1s")]
                cells += [f"{cuts['tbiou'][k]:.2f} ({chance['tbiou'][k]:.2f})"
                          for k in ("accents", "bars")]
            else:
                cells += ["-"] * 5
            tempo = r["tempo"]
            line(*cells, percent(tempo["largest_change"]),
                 percent(tempo["smooth_bars"]))


def print_plans(found):
    head("film", "s", "cuts", "hits", "accepted", "onsets on the grid",
         "CPU s for 60 s")
    for name, reports, seconds in found:
        r = reports["exact"]
        line(name, f"{r['duration']:.0f}", len(r["cuts"]),
             r["hits_met"]["moments"] if r["hits_met"] else 0,
             percent(r["accepted"]), percent(r["on_grid"]), f"{seconds:.1f}")


def print_sums(found):
    """All films together, each hit and each cut the same."""
    head("all films", "hits", "in a frame", "largest median ms", "cuts",
         "in a frame", "by chance")
    for layer in LAYERS:
        reports = [r[layer] for _, r, _ in found if r[layer]["cuts_met"]]
        hits = [r["hits_met"] for r in reports if r["hits_met"]]
        sums = []
        for shares in (hits, [r["cuts_met"] for r in reports]):
            n = sum(s["moments"] for s in shares)
            sums.append((n, sum(s["moments"] * s["within_frame"]
                                for s in shares) / max(n, 1)))
        chance = sum(r["chance"]["moments"] * r["chance"]["within_frame"]
                     for r in reports) / max(sums[1][0], 1)
        line(layer, sums[0][0], percent(sums[0][1]),
             f"{max((h['median_ms'] for h in hits), default=0):.1f}",
             sums[1][0], percent(sums[1][1]), percent(chance))


def print_music(folder):
    """Mean over the films of each layer and of the same plans without hits."""
    ways = ("paper", "guided", "no hits", "exact")
    means = {}
    for way in ways:
        report = folder / f"{way}.music.json"
        run("evaluate", "music", "--midi", folder / way, "--stats",
            "--report", report, "-y")
        for m in json.loads(report.read_text())["music"]:
            means.setdefault(m["name"], []).append(m["mean"])
    head("music", "paper", "guided", "exact, no hits", "exact")
    for name, row in means.items():
        line(name, *(f"{x:.3f}" for x in row))


def main():
    global EMSYNC
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("emsync")
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("film", nargs="*")
    p.add_argument("--longest", type=float, default=1e9, metavar="S")
    p.add_argument("--candidates", type=int, default=1, metavar="N")
    o = p.parse_args()
    EMSYNC = o.emsync
    for way in (*LAYERS, "no hits"):
        (o.folder / way).mkdir(parents=True, exist_ok=True)
        for old in (o.folder / way).glob("*.mid"):
            old.unlink()
    found = [(name, *measure(o.folder, path, o.candidates))
             for name, path in films(o.folder, o.film, o.longest)]
    print_layers(found)
    print()
    print_sums(found)
    print()
    print_plans(found)
    print()
    print_music(o.folder)


main()
