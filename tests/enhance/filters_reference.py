#!/usr/bin/env python3
"""Write filters_reference.h: what scipy says about our filters.

    python3 tests/audio/filters_reference.py > tests/audio/filters_reference.h

Made with scipy 1.10.1 (Debian python3-scipy). Magnitudes come from zeros and
poles, which is more exact than from sections."""
import numpy as np
import scipy
from scipy import signal

BANK = [("cheby1", n) for n in (6, 8, 10, 12)] + [
    ("bessel", 6), ("bessel", 12), ("ellip", 6), ("ellip", 12), ("butter", 6)]
MORE = [("cheby1", 1, 4000, 44100), ("cheby1", 3, 16000, 44100),
        ("cheby1", 16, 11025, 44100), ("ellip", 1, 8000, 48000),
        ("ellip", 2, 16000, 44100), ("ellip", 5, 4000, 44100),
        ("ellip", 16, 16000, 44100), ("bessel", 1, 8000, 44100),
        ("bessel", 3, 300, 48000), ("bessel", 7, 5000, 48000),
        ("bessel", 11, 7000, 44100), ("bessel", 14, 9000, 44100),
        ("bessel", 16, 11025, 44100), ("butter", 1, 11025, 44100),
        ("butter", 5, 15000, 44100), ("butter", 12, 200, 48000),
        ("butter", 16, 23900, 48000)]
SPECS = [(k, n, 11025, 44100) for k, n in BANK] + MORE
FRACTIONS = [0.1, 0.5, 0.9, 1.0, 1.02, 1.1, 1.3, 1.8]  # of the cut-off
FRAMES, AT = 300, 5  # the impulse's place
ONCE = [5, 6, 8, 12, 20, 90]
ZERO = [0, 1, 4, 5, 6, 30, 298, 299]


def design(kind, order, cutoff, rate, output):
    args = dict(cheby1=dict(rp=0.05), ellip=dict(rp=0.05, rs=20),
                bessel=dict(), butter=dict())[kind]
    norm = dict(norm="mag") if kind == "bessel" else {}
    return getattr(signal, kind)(order, *args.values(), cutoff, fs=rate,
                                 output=output, **norm)


def noise():
    """The test's own generator: floats that are exact."""
    x, out = 1, []
    for _ in range(FRAMES):
        x = (x * 1664525 + 1013904223) % 2**32
        out.append((x >> 8) / 2**23 - 1)
    return np.array(out)


def row(values, form="%.12g"):
    text, line = [], "     {"
    for i, v in enumerate(values):
        item = form % v + ("}," if i == len(values) - 1 else ", ")
        if len(line) + len(item.rstrip()) > 79:
            text.append(line.rstrip())
            line = "      "
        line += item
    return "\n".join(text + [line])


print("""/* filters_reference.h - made by filters_reference.py with scipy %s. */
enum { FRAMES = %d, IMPULSE = %d };
""" % (scipy.__version__, FRAMES, AT))
for name, of in (("fraction", FRACTIONS), ("once_at", ONCE),
                 ("zero_at", ZERO)):
    print("static const %s %s[] = {%s};" % (
        "double" if name == "fraction" else "int", name,
        ", ".join(map(str, of))))
print("""
static const struct {
    const char *name;
    double cutoff, rate;   /* Hz */
    double magnitude[%d];   /* of one pass, at fraction * cutoff */
    double once[%d];        /* one pass of the impulse, at once_at */
    double zero[%d];        /* zero phase of the impulse, at zero_at */
    double zero_noise[%d];  /* and of the noise */
} reference[] = {""" % (len(FRACTIONS), len(ONCE), len(ZERO), len(ZERO)))
impulse = np.zeros(FRAMES)
impulse[AT] = 1
for kind, order, cutoff, rate in SPECS:
    sos = design(kind, order, cutoff, rate, "sos")
    hz = [min(f * cutoff, rate / 2 * 0.999) for f in FRACTIONS]
    _, h = signal.freqz_zpk(*design(kind, order, cutoff, rate, "zpk"), hz,
                            fs=rate)
    pad = 3 * (order + 1)
    print('    {"%s-%d", %g, %g,' % (kind, order, cutoff, rate))
    print(row(np.abs(h)))
    print(row(signal.sosfilt(sos, impulse)[ONCE], "%.9f"))
    for x in impulse, noise():
        y = signal.sosfiltfilt(sos, x, padlen=pad)
        print(row(y[ZERO], "%.9f"))
    print("    },")
print("};")
