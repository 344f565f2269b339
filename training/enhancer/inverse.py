#!/usr/bin/env python3
"""How steep must a network undo a filter for the study's effect to show?

    inverse.py SOUND...          (Debian: python3-scipy, ffmpeg)

For 15 s of each sound: its SNR (dB) behind Chebyshev-I 6 (seen) and
Butterworth 6 (unseen), from its mean spectrum, and what is gained by the
exact inverse of the seen filter, limited to some amplification. A network
of convolutions that learns nothing but to undo its filter ends there.
"""
import os
import subprocess
import sys

import numpy
from scipy import signal

RATE, CUT, BINS = 44100, 11025, 2049


def spectrum(path):
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-ss", "8", "-t", "15", "-i", path, "-f",
         "f32le", "-ac", "2", "-ar", str(RATE), "-"],
        stdout=subprocess.PIPE, check=True).stdout
    x = numpy.frombuffer(raw, numpy.float32).astype(float).reshape(-1, 2).T
    return signal.welch(x, RATE, nperseg=2 * (BINS - 1))[1].mean(0)


def zero_phase(sos):
    return abs(signal.sosfreqz(sos, BINS)[1]) ** 2


def snr(power, response):
    return 10 * numpy.log10(power.sum() / ((1 - response) ** 2 * power).sum())


def main():
    w = CUT / (RATE / 2)
    seen = zero_phase(signal.cheby1(6, 0.05, w, output="sos"))
    unseen = zero_phase(signal.butter(6, w, output="sos"))
    for path in sys.argv[1:]:
        power = spectrum(path)
        before = snr(power, seen), snr(power, unseen)
        line = "%-24.24s %5.1f %5.1f" % (os.path.basename(path), *before)
        for db in (30, 40, 60, 80):
            most = 10 ** (db / 20)
            undo = numpy.minimum(1 / numpy.maximum(seen, 1e-12), most)
            undo[seen < 1 / most / 3] = 1
            line += "  | %d dB: %+.1f %+.1f" % (
                db, snr(power, seen * undo) - before[0],
                snr(power, unseen * undo) - before[1])
        print(line)


main()
