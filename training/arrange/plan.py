"""The plan of a piece: which bars of the song, in what order, and what happens in each stretch of them."""

from collections import namedtuple

import grooves
from harmony import BRIGHT
from midi import FAMILIES
from songs import Chord, bar_length

FILM_VARIANTS = ["first", "second"]  # film styles have no grooves: two variants of their layers take turns
# How often pieces from a source are film-like instead of an mma groove.
FILM_SHARE = {"openewld": 0.12, "nottingham": 0.08, "pop909-chords": 0.3, "modal": 0.5}

# families: who plays; hold: whether it opens on a held chord; melody: the family that has the tune, or None.
Section = namedtuple("Section", "first last groove families hold melody")


def pick_groove(random, metre, arousal, source):
    """A groove that suits the metre and the wanted arousal, and a tempo for it on that side of 108 a minute."""
    middle = 108
    if random.random() < FILM_SHARE[source]:
        fitting = grooves.FILM
    else:
        fitting = [groove for groove in grooves.GROOVES if groove.metre == metre]
    if arousal > 0:
        fitting = [groove for groove in fitting if groove.fastest > middle and groove.energy > -0.55]
        weights = [1.2 + groove.energy for groove in fitting]
    else:
        fitting = [groove for groove in fitting if groove.slowest <= 90]
        weights = [1.2 - groove.energy for groove in fitting]
    groove = random.choices(fitting, weights)[0]
    if arousal > 0:
        return groove, round(random.uniform(max(groove.slowest, middle), groove.fastest))
    return groove, round(random.uniform(groove.slowest, min(groove.fastest, middle)))


def lay_out(song, random, bars):
    """Chords and melody of `bars` bars: an intro, a window of the song (again and again if it is short), an end."""
    bar = bar_length(song.metre)
    pickup = 1 if song.melody and song.melody[0].start >= 0.4 * bar else 0
    tonic = Chord(0, bar, song.key, "" if song.mode in BRIGHT else "m", song.key)
    intro, ending = random.choice((0, 1, 2, 2, 4)), random.choice((1, 2, 2))
    body = bars - intro - ending
    phrases = [start for start in range(pickup, song.bars - 8, 8)] or [0]
    first = 0 if song.bars <= body or random.random() < 0.4 else random.choice(phrases)
    chords, melody = [], []

    def copy(source, target):
        low, high, shift = source * bar, (source + 1) * bar, (target - source) * bar
        for chord in song.chords:
            if chord.end > low and chord.start < high:
                chords.append(chord._replace(start=max(chord.start, low) + shift, end=min(chord.end, high) + shift))
        if intro <= target < intro + body:
            end = (intro + body) * bar
            melody.extend(tone._replace(start=tone.start + shift, end=min(tone.end + shift, end))
                          for tone in song.melody if low <= tone.start < high)

    vamp = random.random() < 0.5
    for target in range(intro):
        if vamp:
            chords.append(tonic._replace(start=target * bar, end=(target + 1) * bar))
        else:
            copy((first + pickup + target) % song.bars, target)
    source = first
    for target in range(intro, intro + body):
        copy(source, target)
        source += 1
        if source >= song.bars:
            source = pickup
    chords.append(tonic._replace(start=(intro + body) * bar, end=bars * bar))
    joined = [chords[0]]
    for chord in chords[1:]:  # a chord that only crosses a bar line is one chord again, two bars at most
        last = joined[-1]
        if chord[2:] == last[2:] and chord.end - last.start <= 2 * bar:
            joined[-1] = last._replace(end=chord.end)
        else:
            joined.append(chord)
    return joined, melody, intro, body, ending


def choose_families(random, arousal):
    """Which of the five families play, from one alone to all, in alphabetical order."""
    count = random.choices((1, 2, 3, 4, 5), (4, 12, 18, 28, 38))[0]
    if count == 1:
        return [random.choice(("piano", "piano", "guitar", "strings"))]
    weights = {"piano": 5, "guitar": 3, "strings": 4, "bass": 4, "drums": 6 if arousal > 0 else 2.5}
    chosen = []
    while len(chosen) < count:
        left = [family for family in FAMILIES if family not in chosen]
        chosen.append(random.choices(left, [weights[family] for family in left])[0])
    if not {"piano", "guitar", "strings"} & set(chosen):
        chosen.append("piano")
    return sorted(chosen)


def make_sections(random, intro, body, ending, groove, names, families, with_melody):
    """Cut the piece into stretches with a groove, the families that play, a held chord or not, and who has the tune."""
    bodies, intros, endings = (FILM_VARIANTS, [], []) if groove in grooves.FILM else grooves.variants(groove, names)
    plain = [random.choice(bodies) for _ in range(2)]
    hold_rate = random.choice((0.1, 0.4, 0.6, 0.8, 1.0))
    main, other = random.sample(("piano", "guitar", "strings", "strings"), 2)
    sections, at = [], intro
    if intro:
        thin = [family for family in families if random.random() < 0.6] or families
        sections.append(Section(0, intro, random.choice(intros + plain), thin, random.random() < 0.5, None))
    lengths = random.choice(((8,), (4, 8), (4,), (2, 4, 4, 8), (3, 4, 5, 6, 8), (2, 3, 4)))
    grows = random.random() < 0.4
    while at < intro + body:
        last = min(at + random.choice(lengths), intro + body)
        if intro + body - last < 2:
            last = intro + body
        playing = list(families)
        early = at < intro + body / 3
        if len(playing) > 2 and (grows and early or random.random() < 0.12):
            playing = sorted(random.sample(playing, len(playing) - random.choice((1, 2))))
        tune = None
        if with_melody and random.random() < 0.9:
            tune = main if random.random() < 0.75 else other
        sections.append(Section(at, last, random.choice(plain), playing, random.random() < hold_rate, tune))
        at = last
    ending_groove = random.choice(endings) if endings and random.random() < 0.5 else plain[0]
    sections.append(Section(at, at + ending, ending_groove, families, random.random() < 0.85, None))
    return sections
