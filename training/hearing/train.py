#!/usr/bin/env python3
"""Trains and measures the network of src/emotion/hear.c: is there speech, is
there music? Needs NumPy, PyTorch, FFmpeg and the program `hear-inputs`.

    train.py make INPUTS SOUNDS OUT     mixed scenes with their truth
    train.py fit OUT src/emotion/hear_weights.h
    train.py spans EMSYNC OUT           what `emsync analyze` makes of the test

SOUNDS holds a folder for each of the packages in PACKAGES (README.md). Scenes
for training and for the test share no language, no composer, no effect.
"""
import json
import random
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

RATE, STEP, INPUTS = 22050, 2048, 64
SCENE, SCENES = 600, {"train": 5, "test": 2}  # seconds; how many
VOICES = "asterisk-core-sounds-%s-g722"
HOME = {"train": "a b c d e f g", "test": "l m n p r s u"}  # first letters
PACKAGES = {
    "train": ([VOICES % x for x in ("en", "es", "fr")],
              ["wesnoth-1.16-music", "hyperrogue-music"],
              ["wesnoth-1.16-data"]),
    "test": ([VOICES % x for x in ("it", "ru")],
             ["warzone2100-music", "singularity-music"],
             ["freedroidrpg-data"]),
}
NOT_NOISE = ("music", "voice", "scream", "speak", "say", "hello", "laugh",
             "groan", "human", "elf", "choir", "horn", "flute", "harp",
             "bell", "sing", "chat", "track", "lich", "goblin", "troll")


def sounds(paths, batch=50):
    """By one FFmpeg for each batch: most of them are short."""
    out = []
    for i in range(0, len(paths), batch):
        with tempfile.TemporaryDirectory() as folder:
            command = ["ffmpeg", "-v", "quiet", "-threads", "1"]
            for p in paths[i:i + batch]:
                command += ["-i", str(p)]
            for k in range(len(paths[i:i + batch])):
                command += ["-map", f"{k}:a", "-ac", "1", "-ar", str(RATE),
                            "-t", "90", "-f", "f32le", f"{folder}/{k:02d}"]
            subprocess.run(command, check=False)
            out += [np.fromfile(x, np.float32)
                    for x in sorted(Path(folder).iterdir())]
    return out


def files(root, packages, keep):
    found = []
    for package in packages:
        found += [p for p in sorted((root / package).rglob("*"))
                  if p.suffix in (".ogg", ".wav", ".g722", ".opus", ".mp3")
                  and keep(p)]
    return found


def load(paths, most, rng, least=0.15, batch=50):
    rng.shuffle(paths)
    out = []
    for x in sounds(paths[:most], batch):
        if len(x) > least * RATE and np.abs(x).max() > 1e-3:
            out.append(x / np.sqrt(np.mean(x ** 2) + 1e-12) * 0.1)
    return out


def material(root, part, rng):
    voices, music, noise = PACKAGES[part]
    homes = HOME[part].split()
    speech = load(files(root, voices, lambda p: "silence" not in str(p)),
                  200, rng)
    speech += load(files(root, ["ktuberling-data"],
                         lambda p: p.parent.name[0] in homes), 200, rng)
    return (speech, load(files(root, music, lambda p: p.stat().st_size > 300000),
                         16, rng, 5, 1),
            load(files(root, noise, lambda p: not any(
                w in str(p).lower().split("/usr/")[1].split("sound")[-1]
                for w in NOT_NOISE)), 60, rng))


def active(x):
    """Where a clean recording speaks: 10 ms frames within 30 dB of its loud
    ones, pauses below 0.25 s bridged."""
    n = RATE // 100
    power = np.array([np.mean(x[i:i + n] ** 2) for i in range(0, len(x), n)])
    on = power > np.percentile(power, 95) * 1e-3
    last = None
    for i, yes in enumerate(on):
        if yes:
            if last is not None and i - last <= 25:
                on[last:i] = True
            last = i
    return np.repeat(on, n)[:len(x)]


def gain(db):
    return 10 ** (db / 20)


def room(x, rng):
    """A room's echo: noise that dies away."""
    n = int(rng.uniform(0.1, 0.6) * RATE)
    tail = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(n)
    tail *= np.exp(-6.9 * np.arange(n) / n) * rng.uniform(0.01, 0.06)
    size = 1 << (len(x) + n).bit_length()
    wet = np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(tail, size), size)
    return (x + wet[:len(x)]).astype(np.float32)


def coloured_noise(n, rng):
    g = np.random.default_rng(rng.randrange(1 << 30))
    spectrum = np.fft.rfft(g.standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= 1 / np.maximum(hz, 40) ** rng.uniform(0, 1.2)
    if rng.random() < 0.3:
        spectrum[hz > rng.uniform(300, 4000)] = 0
    x = np.fft.irfft(spectrum, n)
    if rng.random() < 0.5:  # gusts
        slow = np.interp(np.arange(n), np.linspace(0, n, max(2, n // RATE)),
                         g.uniform(0.1, 1, max(2, n // RATE)))
        x = x * slow
    return (x / np.sqrt(np.mean(x ** 2)) * 0.1).astype(np.float32)


def scene(store, rng):
    """Layers that come and go; truth is what can be heard of them."""
    speech, music, noise = store
    n = SCENE * RATE
    layer = {k: np.zeros(n, np.float32) for k in ("speech", "music", "noise")}
    on = np.zeros(n, bool)
    t = 0
    while t < n:  # sections of 5 to 25 s
        end = min(n, t + int(rng.uniform(5, 25) * RATE))
        kind = rng.choice("smn" + "smb" + "sbn")
        if kind in "sb":
            at, level = t, gain(rng.uniform(-4, 4))
            echo = rng.random() < 0.4
            while at < end:
                x = rng.choice(speech)
                a = active(x)
                x = room(x, rng) if echo else x
                x, a = x[:end - at], a[:end - at]
                layer["speech"][at:at + len(x)] += level * x
                on[at:at + len(x)] |= a
                at += len(x) + int(rng.expovariate(2.5) * RATE)
        if kind in "mb":
            x = rng.choice(music)
            start = rng.randrange(max(1, len(x) - (end - t)))
            x = x[start:start + end - t].copy()
            ramp = min(len(x) // 4, RATE)
            x[:ramp] *= np.linspace(0, 1, ramp)
            x[-ramp:] *= np.linspace(1, 0, ramp)
            db = rng.uniform(-18, 2) if kind == "b" else rng.uniform(-10, 5)
            layer["music"][t:t + len(x)] += gain(db) * x
        if kind == "n" or rng.random() < 0.4:
            db = rng.uniform(-10, 5) if kind == "n" else rng.uniform(-40, -12)
            if rng.random() < 0.5:
                layer["noise"][t:end] += gain(db) * coloured_noise(end - t,
                                                                   rng)
            else:
                at = t
                while at < end:
                    x = rng.choice(noise)[:end - at]
                    layer["noise"][at:at + len(x)] += gain(db) * x
                    at += len(x) + int(rng.expovariate(1.5) * RATE)
        t = end + int(rng.choice([0, 0, rng.uniform(0, 3)]) * RATE)
    mix = sum(layer.values()) * gain(rng.uniform(-14, 8))
    return np.clip(mix, -1, 1), truth(layer, on)


def steps(x):
    n = len(x) // STEP
    return x[:n * STEP].reshape(n, STEP)


def truth(layer, on):
    power = {k: np.mean(steps(v) ** 2, 1) for k, v in layer.items()}
    # music's own short rests belong to it
    near = np.convolve(power["music"], np.ones(11) / 11, "same")
    other = power["speech"] + power["noise"]
    heard = near > np.maximum(3e-3 * np.convolve(
        other, np.ones(11) / 11, "same"), 1e-7)
    talks = (steps(on).mean(1) > 0.5) & (
        power["speech"] > 0.03 * (power["music"] + power["noise"]))
    return np.stack([talks, heard], 1).astype(np.uint8)


def write_wav(path, x):
    with wave.open(str(path), "wb") as w:
        w.setparams((1, 2, RATE, 0, "NONE", ""))
        w.writeframes((x * 32767).astype("<i2").tobytes())


def make(inputs, root, out):
    out.mkdir(parents=True, exist_ok=True)
    for part, count in SCENES.items():
        if (out / f"{part}{count - 1:02d}.f32").exists():
            continue
        rng = random.Random(part)
        store = material(root, part, rng)
        print(part, [len(s) for s in store], flush=True)
        for i in range(count):
            mix, labels = scene(store, rng)
            name = out / f"{part}{i:02d}"
            write_wav(name.with_suffix(".wav"), mix)
            np.save(name.with_suffix(".npy"), labels)
            subprocess.run([inputs, str(name) + ".wav", str(name) + ".f32"],
                           check=True)


def dataset(out, part):
    xs, ys = [], []
    for path in sorted(out.glob(part + "*.f32")):
        y = np.load(path.with_suffix(".npy"))
        x = np.fromfile(path, np.float32)
        x = x.reshape(-1, INPUTS)
        n = min(len(x), len(y))
        xs.append(x[:n])
        ys.append(y[:n])
    return np.concatenate(xs), np.concatenate(ys)


def scores(p, y):
    hit = np.sum((p > 0.5) & (y > 0))
    wrong = np.sum((p > 0.5) & (y == 0))
    missed = np.sum((p <= 0.5) & (y > 0))
    return dict(precision=hit / max(1, hit + wrong),
                recall=hit / max(1, hit + missed),
                f1=2 * hit / max(1, 2 * hit + wrong + missed))


def show(name, p, y):
    s = scores(p, y)
    print(f"{name:22s} precision {s['precision']:.3f} recall "
          f"{s['recall']:.3f} F1 {s['f1']:.3f} right {np.mean((p > .5) == y):.3f}",
          flush=True)


def table(name, values):
    rows = ",\n    ".join(", ".join(f"{v:.4g}f" if "." in f"{v:.4g}" or
                                    "e" in f"{v:.4g}" else f"{v:.4g}.0f"
                                    for v in values[i:i + 8])
                          for i in range(0, len(values), 8))
    return f"static const float {name} = {{\n    {rows}}};\n"


def fit(out, header, hidden=20, epochs=30):
    import torch
    torch.manual_seed(1)
    torch.set_num_threads(1)
    x, y = dataset(out, "train")
    xt, yt = dataset(out, "test")
    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-3)
    mean = np.array([float(f"{v:.4g}") for v in mean], np.float32)
    scale = np.array([float(f"{v:.4g}") for v in scale], np.float32)

    def z(v):
        return torch.tensor(np.clip((v - mean) / scale, -4, 4))
    net = torch.nn.Sequential(torch.nn.Linear(x.shape[1], hidden),
                              torch.nn.ReLU(), torch.nn.Linear(hidden, 2))
    best = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(best, epochs)
    zx, zy, zt = z(x), torch.tensor(y, dtype=torch.float32), z(xt)
    level = x.shape[1] - 16  # a level is shifted, so that it means little
    for epoch in range(epochs):
        order = torch.randperm(len(zx))
        for i in range(0, len(zx), 256):
            k = order[i:i + 256]
            v = zx[k] + 0.1 * torch.randn(len(k), zx.shape[1])
            v[:, level] += torch.randn(len(k))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                net(v), zy[k])
            best.zero_grad()
            loss.backward()
            best.step()
        plan.step()
    with torch.no_grad():
        for name, v, t in (("train", zx, y), ("test", zt, yt)):
            p = torch.sigmoid(net(v)).numpy()
            show(f"{name} speech, verdicts", p[:, 0], t[:, 0])
            show(f"{name} music, verdicts", p[:, 1], t[:, 1])
    w1, b1, w2, b2 = [p.detach().numpy() for p in net.parameters()]
    text = ("/* hear_weights.h - what training/hearing/train.py learned; for"
            " hear.c only. */\n#ifndef EMS_HEAR_WEIGHTS_H\n#define"
            f" EMS_HEAR_WEIGHTS_H\n\nenum {{ HEAR_HIDDEN = {hidden} }};\n")
    text += table("HEAR_MEAN[EMS_HEAR_INPUTS]", mean)
    text += table("HEAR_SCALE[EMS_HEAR_INPUTS]", scale)
    text += table("HEAR_WEIGHT[HEAR_HIDDEN * EMS_HEAR_INPUTS]", w1.ravel())
    text += table("HEAR_BIAS[HEAR_HIDDEN]", b1)
    text += table("HEAR_OUT[2 * HEAR_HIDDEN]", w2.ravel())
    text += table("HEAR_OUT_BIAS[2]", b2)
    Path(header).write_text(text + "#endif\n")


def spans(emsync, out):
    """The whole way: spans in analysis.json against the truth, by steps."""
    got, want = [], []
    for path in sorted(out.glob("test*.wav")):
        subprocess.run([emsync, "analyze", "-q", "-y", str(path), "-o",
                        str(path.with_suffix(".json"))], check=True)
        a = json.loads(path.with_suffix(".json").read_text())
        y = np.load(path.with_suffix(".npy"))
        at = (np.arange(len(y)) + 0.5) * STEP / RATE
        p = np.zeros(y.shape)
        for k, key in enumerate(("speech", "music")):
            for s in a[key]:
                p[(at >= s["from"]) & (at < s["to"]), k] = 1
        got.append(p)
        want.append(y)
    p, y = np.concatenate(got), np.concatenate(want)
    show("test speech, spans", p[:, 0], y[:, 0])
    show("test music, spans", p[:, 1], y[:, 1])
    both = y[:, 1] == 1
    show("  speech over music", p[both, 0], y[both, 0])
    show("  speech without", p[~both, 0], y[~both, 0])


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "make":
        make(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    elif what == "fit":
        fit(Path(sys.argv[2]), sys.argv[3])
    else:
        spans(sys.argv[2], Path(sys.argv[3]))
