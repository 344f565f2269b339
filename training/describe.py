#!/usr/bin/env python3
"""Eight scores in numbers: docs/MUSIC.md, "Eight scores".

    training/describe.py EMSYNC OUT [FILM FILM]

Four quadrants with two seeds each, or with two films two of them fewer. Writes
plans, scores, piano rolls and their PNG pictures to OUT and prints two tables. "Heard"
is what the judge says, which had no part in the choice of the candidates. Needs
Debian's python3-mido and librsvg2-bin.
"""
import json
import os
import shutil
import subprocess
import sys

import mido

JUDGE = os.path.join(os.path.dirname(__file__), "..", "models", "emsync-judge.safetensors")
PLAN = {"format": "emsync-plan", "version": 1, "duration": 45, "fps": 25.0,
        "sync": "exact", "hits": [], "cuts": []}
QUADRANTS = [("glad and wild", 0.7, 0.7), ("angry", -0.7, 0.7),
             ("sad", -0.7, -0.7), ("calm", 0.7, -0.7)]


def emsync(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], check=True, text=True,
                          stdout=subprocess.PIPE)
    return done.stdout


def quadrant(out, name, valence, arousal, seed):
    stem = os.path.join(out, f"{name.replace(' ', '-')}-{seed}")
    with open(stem + ".json", "w", encoding="utf-8") as f:
        json.dump(dict(PLAN, seed=seed, curve=[
            {"time": 0, "valence": valence, "arousal": arousal}]), f)
    return f"{name}, seed {seed}", stem


def film(out, path):
    name = os.path.splitext(os.path.basename(path))[0]
    stem = os.path.join(out, name)
    emsync("analyze", path, "-o", stem + ".analysis.json", "-y", "-q")
    emsync("plan", stem + ".analysis.json", "-o", stem + ".json", "-y", "-q")
    return name, stem


def asked(plan):
    """Means of the curve's knots, weighted by time."""
    curve, end = plan["curve"], plan["duration"]
    times = [k["time"] for k in curve] + [end]
    parts = [max(times[i + 1], 0) - max(times[i], 0)
             for i in range(len(curve))]
    whole = sum(parts)
    return [sum(k[axis] * p for k, p in zip(curve, parts)) / whole
            for axis in ("valence", "arousal")]


def structure(stem):
    """Statistics of one score, by name."""
    folder = stem + ".alone"
    os.makedirs(folder, exist_ok=True)
    shutil.copy(stem + ".mid", folder)
    emsync("evaluate", "music", "--midi", folder, "--stats", "--report", stem + ".stats.json", "-y", "-q")
    shutil.rmtree(folder)
    with open(stem + ".stats.json", encoding="utf-8") as f:
        return {row["name"]: row["mean"] for row in json.load(f)["music"]}


def bar_lines(score):
    """Where bars begin, in ticks, as far as there is music."""
    end = max(sum(m.time for m in track) for track in score.tracks)
    at, changes = 0, []
    for m in score.tracks[0]:
        at += m.time
        if m.type == "time_signature":
            changes.append((at, round(4 * score.ticks_per_beat * m.numerator / m.denominator)))
    lines, now = [], 0
    while now < end:
        lines.append(now)
        now += [length for start, length in changes if start <= now][-1]
    return lines


def who_plays(score):
    """Families by phrase of four bars: B, D, G, P, S; repeats are counted."""
    lines, phrases, begins = bar_lines(score), [], {}
    for track in score.tracks[1:]:
        at = 0
        for m in track:
            at += m.time
            if m.type == "note_on" and m.velocity > 0:
                begins.setdefault(track.name[0], []).append(at)
    for i in range(0, len(lines), 4):
        end = lines[i + 4] if i + 4 < len(lines) else 1 << 60
        heard = "".join(f for f in sorted(begins) if sum(lines[i] <= at < end for at in begins[f]) > 2)
        if phrases and phrases[-1][0] == heard:
            phrases[-1][1] += 1
        else:
            phrases.append([heard, 1])
    return len(lines), " ".join(f"{heard or '–'}{f' ×{count}' if count > 1 else ''}" for heard, count in phrases)


def describe(name, stem):
    emsync("compose", stem + ".json", "-o", stem + ".mid", "-y", "-q")
    emsync("roll", stem + ".mid", "--plan", stem + ".json", "-o",
           stem + ".svg", "-y", "-q")
    subprocess.run(["rsvg-convert", "-w", "1500", stem + ".svg", "-o", stem + ".png"], check=True)
    heard = json.loads(emsync("rate", stem + ".mid", "--critic", JUDGE, "--json"))
    stats = structure(stem)
    with open(stem + ".json", encoding="utf-8") as f:
        plan = json.load(f)
    score = mido.MidiFile(stem + ".mid")
    tempi = [mido.tempo2bpm(m.tempo) for m in score.tracks[0]
             if m.type == "set_tempo"]
    keys = []
    for m in score.tracks[0]:
        if m.type == "key_signature" and m.key not in keys:
            keys.append(m.key)
    notes = {}
    for track in score.tracks[1:]:
        n = sum(m.type == "note_on" and m.velocity > 0 for m in track)
        if n:
            notes[track.name] = n
    total = sum(notes.values())
    part = ", ".join(f"{k.lower()} {100 * n // total} %"
                     for k, n in sorted(notes.items(), key=lambda x: -x[1]))
    v, a = asked(plan)
    error = (abs(v - heard["valence"]) + abs(a - heard["arousal"])) / 2
    print(f"| {name} | {v:+.2f} {a:+.2f} | {heard['valence']:+.2f} "
          f"{heard['arousal']:+.2f} | {error / 2:.2f} | {' '.join(keys)} | "
          f"{min(tempi):.0f}-{max(tempi):.0f} | {total / plan['duration']:.1f} | "
          f"{stats['pitch-class entropy']:.2f} | {100 * stats['back after four bars']:.0f} % | "
          f"{100 * stats['low notes sound']:.0f} % | {part} |")
    bars, phrases = who_plays(score)
    return f"| {name} | {bars} | {len(plan.get('sections', [])) or 1} | {len(plan['hits'])} | {phrases} |"


def main():
    out, films = sys.argv[2], sys.argv[3:]
    os.makedirs(out, exist_ok=True)
    scores = [quadrant(out, *q, seed) for seed in (3, 4) for q in QUADRANTS]
    scores = scores[:8 - len(films)] + [film(out, f) for f in films]
    print("| score | asked V A | heard | off by | key | bpm | notes/s | entropy | back after four bars | low notes | parts |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    rows = [describe(name, stem) for name, stem in scores]
    print("\n| score | bars | sections | hits | who plays, phrase by phrase |\n|---|---|---|---|---|", *rows, sep="\n")


main()
