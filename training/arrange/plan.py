"""The plan of a piece: which bars of the song, in what order, and what happens in each stretch of them."""

from collections import namedtuple

import grooves
from harmony import BRIGHT
from midi import FAMILIES
from songs import Chord, bar_length

FILM_VARIANTS = ["first", "second"]  # film styles have no grooves: two variants of their layers take turns
# How often pieces from a source are film-like instead of an mma groove.
FILM_SHARE = {"openewld": 0.12, "nottingham": 0.08, "pop909-chords": 0.3, "modal": 0.5}

# families: who plays; level: 0 calm, 1 the groove, 2 driven; melody: the family that has the tune, or None; pace: of
# the tempo of the piece.
Section = namedtuple("Section", "first last groove families level melody pace")


def pick_groove(random, metre, arousal, source):
    """A groove that suits the metre and the wanted arousal, and a tempo for it on that side of 108 a minute."""
    middle = 108
    if random.random() < FILM_SHARE[source]:
        fitting = grooves.FILM
    else:
        every = grooves.GROOVES if random.random() < 0.5 else grooves.TRIED
        fitting = [groove for groove in every if groove.metre == metre] or grooves.GROOVES
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


def lay_out(song, random, bars, tempo):
    """Chords and melody of `bars` bars: an intro, a window of the song (again and again if it is short), an end."""
    bar = bar_length(song.metre)
    pickup = 1 if song.melody and song.melody[0].start >= 0.4 * bar else 0
    tonic = Chord(0, bar, song.key, "" if song.mode in BRIGHT else "m", song.key)
    intro, ending = random.choice((0, 1, 2, 2, 4)), 1 if bar * 60 / tempo > 2.2 else random.choice((1, 2, 2))
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


def make_levels(random, count, energy):
    """How calm or driven each of `count` sections is: pieces that stay, that build, that break down and come back."""
    shape = random.choice(("flat", "flat", "flat", "build", "build", "arch", "break", "fall", "waves", "steps"))
    if shape == "flat" or count < 3:
        return [1] * count
    place = [index / (count - 1) for index in range(count)]
    if shape == "waves":
        return [random.choice((0, 1, 1, 2)) for _ in place]
    if shape == "steps":
        return [index // random.choice((1, 2)) % 3 for index in range(count)]
    rise = {"build": lambda x: x, "fall": lambda x: 1 - x, "arch": lambda x: 1 - abs(2 * x - 1),
            "break": lambda x: 0 if 0.45 < x < 0.7 else 0.5 + 0.5 * (x >= 0.7)}[shape]
    top = 2.4 if energy > -0.3 else 1.9
    return [min(2, int(rise(x) * top + 0.3)) for x in place]


def choose_playing(random, families, order, level):
    """Who plays at this level: families come in by `order`."""
    if level == 0:
        count = max(1, round(len(families) * random.choice((0.35, 0.5))))
    elif level == 1:
        count = len(families) - (len(families) > 2 and random.random() < 0.3)
    else:
        count = len(families)
    return sorted(order[:count])


def make_sections(random, intro, body, ending, groove, names, families, with_melody):
    """Cut the piece into stretches with a groove, the families that play, how driven they are, who has the tune."""
    bodies, intros, endings = (FILM_VARIANTS, [], []) if groove in grooves.FILM else grooves.variants(groove, names)
    plain = [random.choice(bodies) for _ in range(random.choice((2, 2, 3)))]
    main, other = random.sample(("piano", "guitar", "strings", "strings"), 2)
    lengths = random.choice(((8,), (4, 8), (4,), (2, 4, 4, 8), (3, 4, 5, 6, 8), (2, 3, 4)))
    edges = [intro]
    while edges[-1] < intro + body:
        last = min(edges[-1] + random.choice(lengths), intro + body)
        edges.append(intro + body if intro + body - last < 2 else last)
    levels = make_levels(random, len(edges) - 1, groove.energy)
    ranks = {"strings": 0, "piano": 0, "guitar": 0.3, "bass": 0.5, "drums": 0.8}
    order = sorted(families, key=lambda family: ranks[family] + random.random() * 0.9)
    if order[0] in ("drums", "bass") and len(order) > 1:
        order = [*order[1:2], order[0], *order[2:]]
    paces = [1.0] * len(levels)
    if random.random() < 0.22 and len(levels) > 2:  # another tempo for a stretch
        where, pace = random.randrange(1, len(levels)), random.choice((0.75, 0.82, 0.88, 1.1, 1.18, 1.3))
        paces[where:where + random.choice((1, 2, 9))] = [pace] * len(paces[where:where + random.choice((1, 2, 9))])
        paces = (paces + [paces[-1]] * len(levels))[:len(levels)]
    sections = []
    if intro:
        thin = [family for family in families if random.random() < 0.6] or families
        sections.append(Section(0, intro, random.choice(intros + plain), thin, min(levels[0], 1), None, paces[0]))
    for first, last, level, pace in zip(edges, edges[1:], levels, paces):
        tune = None
        if with_melody and random.random() < 0.9:
            tune = main if random.random() < 0.75 else other
        playing = choose_playing(random, families, order, level)
        sections.append(Section(first, last, random.choice(plain), playing, level, tune, pace))
    ending_groove = random.choice(endings) if endings and random.random() < 0.5 else plain[0]
    sections.append(Section(intro + body, intro + body + ending, ending_groove, families, 1, None, paces[-1]))
    return sections


def follow_boundaries(sections, boundaries, bar, random, families):
    """The sections cut again: most boundaries begin one, as music changes with the picture; levels stay near."""
    cuts = sorted({round(boundary.start / bar) for boundary in boundaries
                   if abs(boundary.start / bar - round(boundary.start / bar)) < 1e-6})
    again = []
    for section in sections[:-1]:
        first = section.first
        for cut in [cut for cut in cuts if section.first + 1 < cut < section.last - 1]:
            if random.random() < 0.6:
                again.append(section._replace(first=first, last=cut, families=vary(section, families, random)))
                first = cut
        again.append(section._replace(first=first, families=vary(section, families, random)))
    return [*again, sections[-1]]


def vary(section, families, random):
    """One family more or less."""
    now = set(section.families)
    if len(families) > 1 and random.random() < 0.5:
        now ^= {random.choice(families)}
    return sorted(now) or section.families
