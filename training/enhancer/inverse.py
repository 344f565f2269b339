#!/usr/bin/env python3
"""The overfitting study without a network: the best linear filter.

    inverse.py WORK          (Debian: python3-scipy, ffmpeg)

At each frequency the factor that undoes the filters trained with at the
least square error, sum H / (sum H^2 + e), is known without any training; e
limits how far it amplifies. A network of convolutions that learns nothing
but to undo its filter ends there. Scored as `emsync evaluate enhancer
--seconds 4` scores a network: input SNR, then the gain over it, in dB, for
Chebyshev-I 6 (seen) and Butterworth 6 (unseen), over the folders of WORK.
"""
import os
import subprocess
import sys

import numpy
from scipy import signal

RATE, CUT, EDGE = 44100, 11025.0, 8192


def design(kind, order, cut=CUT):
    """The filters of src/enhance/filters.h."""
    w = cut / (RATE / 2)
    if kind == "cheby1":
        return signal.cheby1(order, 0.05, w, output="sos")
    if kind == "ellip":
        return signal.ellip(order, 0.05, 20, w, output="sos")
    if kind == "bessel":
        return signal.bessel(order, w, norm="mag", output="sos")
    return signal.butter(order, w, output="sos")


SEEN, UNSEEN = design("cheby1", 6), design("butter", 6)
BANK = [design(*f) for f in (
    ("cheby1", 6), ("cheby1", 8), ("cheby1", 10), ("cheby1", 12),
    ("bessel", 6), ("bessel", 12), ("ellip", 6), ("ellip", 12))]


def random_filters(count):
    """Evenly in octaves from 4 to 16 kHz, any family, order 2 to 12; an
    eighth of them is no filter at all."""
    r = numpy.random.default_rng(1)
    return [None if r.integers(8) == 0 else
            design(("cheby1", "ellip", "bessel", "butter")[r.integers(4)],
                   int(r.integers(2, 13)), 4000 * 4 ** r.random())
            for _ in range(count)]


def load(path):
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-ss", "8", "-t", "4", "-i", path, "-f",
         "f32le", "-ac", "2", "-ar", str(RATE), "-"],
        stdout=subprocess.PIPE, check=True).stdout
    return numpy.frombuffer(raw, numpy.float32).astype(float).reshape(-1, 2).T


def folder(path):
    return [load(os.path.join(path, f)) for f in sorted(os.listdir(path))]


def zero_phase(sos, hz):
    if sos is None:
        return numpy.ones_like(hz)
    return abs(signal.sosfreqz(sos, hz, fs=RATE)[1]) ** 2


def undo(filters, limit, hz):
    """No louder than `limit` dB for one filter alone."""
    h = numpy.array([zero_phase(f, hz) for f in filters])
    e = (10 ** (-limit / 20) / 2) ** 2
    return h.mean(0) / ((h ** 2).mean(0) + e)


def snr(truth, x):
    return 10 * numpy.log10((truth ** 2).sum() / ((x - truth) ** 2).sum())


def apply(x, factor):
    """factor: of hz; over a padded piece, so that ends do not meet."""
    n = x.shape[1] + EDGE
    hz = numpy.fft.rfftfreq(n, 1 / RATE)
    y = numpy.fft.irfft(numpy.fft.rfft(x, n) * factor(hz), n)
    return y[:, :x.shape[1]]


def score(music, filters, limit):
    out = []
    for test in (SEEN, UNSEEN):
        sums = []
        for x in music:
            y = signal.sosfiltfilt(test, x, axis=1).astype(numpy.float32)
            before = snr(x, y)
            z = apply(y, lambda hz: undo(filters, limit, hz)) if filters else 0
            sums.append(snr(x, z) - before if filters else before)
        out.append(sum(sums) / len(sums))
    return out


def main():
    work = sys.argv[1]
    names = [n for n in ("pieces", "bank", "pieces-dull", "bank-dull")
             if os.path.isdir(os.path.join(work, n))]
    sets = [folder(os.path.join(work, n)) for n in names]
    print("%-28s" % "seen, unseen" + "".join("%18s" % n for n in names))
    rows = [("input SNR", None, 0)]
    rows += [("one filter, up to %d dB" % g, [SEEN], g)
             for g in (20, 40, 60, 80)]
    rows += [("bank of 8, up to %d dB" % g, BANK, g) for g in (40, 80)]
    rows += [("random filters, up to %d dB" % g, random_filters(100), g)
             for g in (40, 80)]
    for name, filters, limit in rows:
        line = [v for s in sets for v in score(s, filters, limit)]
        print("%-28s" % name + "".join("%+9.2f" % v for v in line),
              flush=True)


main()
