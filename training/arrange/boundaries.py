"""Boundaries: held chords where a film may cut, at irregular times, and the music that leads to each of them."""

import math
from collections import namedtuple

import layers
from midi import DRUMS, Note, family_of
from songs import QUALITIES, SCALES, Chord, bar_length

# start: in quarter notes, always where a chord begins; cut: what is left out of the bar before it; ways: how it is
# prepared, from WAYS; window: how long before it that begins; hold: how long the chord is held.
Boundary = namedtuple("Boundary", "start cut ways window hold")

CUTS = {(4, 4): {1: (3, 4), 2: (2, 4)}, (3, 4): {1: (2, 4)}, (6, 8): {1.5: (3, 8)}}
# Ways to prepare a boundary, with how much calm and driving music likes each.
WAYS = {"dominant": (5, 3), "fill": (2, 6), "run": (3, 3), "approach": (3, 4), "thin": (3, 2), "stop": (1, 2.5),
        "hits": (0.3, 2), "riser": (1, 2.5), "phrase": (5, 3), "sweep": (2.5, 1),
        "build": (1.5, 3), "ebb": (3, 1.5), "climb": (1.5, 2.5)}
LONG_PAIR = {"build", "ebb"}  # one or the other
CRASHES, KICK, SNARE, TOMS = (49, 57), 36, 38, (50, 48, 47, 45, 43, 41)


def choose_ways(random, liked, energy):
    """Two to four ways, by the energy of the music and the habits of the piece."""
    count, ways = random.choice((2, 2, 3, 3, 4)), []
    while len(ways) < count:
        left = [way for way in WAYS if way not in ways and liked[way] and {way, *ways} & LONG_PAIR != LONG_PAIR]
        driving = (energy + 1) / 2
        weights = [((1 - driving) * WAYS[way][0] + driving * WAYS[way][1]) * liked[way] for way in left]
        ways.append(random.choices(left, weights)[0])
    return tuple(ways)


def possible(families, with_melody):
    """The ways that those who play have, as 1 or 0."""
    needs = {"fill": "drums" in families, "approach": "bass" in families, "phrase": with_melody,
             "thin": len(families) > 1, "riser": "strings" in families or len(families) > 3,
             "sweep": "drums" not in families or len(families) > 3, "build": len(families) > 2,
             "ebb": len(families) > 2}
    return {way: float(needs.get(way, True)) for way in WAYS}


def choose_boundaries(random, sections, metre, tempo, energy, ways):
    """Times drawn as cuts come in films: a pace for the piece, wide spread around it; then moved to beats.

    In a third of the pieces the bar before a boundary may be short, so that the metre does not tell when it comes.
    """
    beat, bar = 1.5 if metre == (6, 8) else 1.0, bar_length(metre)
    pace = random.lognormvariate(math.log(5.4), 0.4)
    cutting = random.random() < 0.38
    rate = random.choice((0.5, 0.65, 0.75, 0.85))
    liked = {way: possible * random.choice((0.3, 1, 1, 2)) for way, possible in ways.items()}
    starts = {section.first * bar for section in sections}
    end = sections[-1].first * bar
    now, found = 0.0, []
    if random.random() < 0.4:
        found.append(Boundary(0.0, 0, (), 0, 2 * beat if metre == (6, 8) else 2.0))
    while True:
        gap = min(max(random.lognormvariate(math.log(pace), 0.75), 1.3), 26) * tempo / 60
        target = now + max(gap, 3.0)
        start, cut = round(target / bar) * bar, 0
        near_start = min(starts, key=lambda time: abs(time - target))
        if near_start > now + 3 and abs(near_start - target) < 0.25 * gap and random.random() < 0.7:
            start = near_start
        elif start < now + 3:
            start = math.ceil((now + 3) / bar) * bar
        if cutting and start > bar and random.random() < 0.75:
            options = [loss for loss in CUTS[metre] if start - loss >= now + 3]
            cut = random.choice(options) if options else 0
        elif metre == (4, 4) and random.random() < 0.14 and start - 2 >= now + 3:
            start -= 2  # in the middle of a bar
        if start >= end - 2:
            break
        ways, window = (), 0
        if random.random() < rate:
            ways = choose_ways(random, liked, energy)
            room = [count * beat for count in (1, 2, 2, 3, 4)
                    if 0.5 <= count * beat * 60 / tempo <= 2.7 and count * beat <= start - cut - now - 2]
            window = random.choice(room) if room else beat
        hold = random.choice((2, 2, 2, 2.5, 3, 4)) if metre != (6, 8) else random.choice((2, 3))
        found.append(Boundary(start, cut, ways, window, hold))
        now = start
    return found


def lead(random, target, mode):
    """A chord that wants to go on to `target`."""
    fifth, choices = (target.root + 7) % 12, ["7", "7", "", "7sus"]
    minor = target.quality.startswith("m") and not target.quality.startswith("maj")
    draw = random.random()
    if mode == "phrygian" and minor and draw < 0.6:
        return (target.root + 1) % 12, ""
    if mode in ("mixolydian", "dorian", "minor") and draw < 0.25:
        return (target.root + 10) % 12, ""
    if mode in ("harmonic minor", "minor") and draw > 0.85:
        return (target.root + 11) % 12, "dim7"
    return fifth, random.choice(choices)


def overlay(chords, new):
    """The chords with `new` in the place of what was there."""
    kept = []
    for chord in chords:
        if chord.start < new.start:
            kept.append(chord._replace(end=min(chord.end, new.start)))
        if chord.end > new.end and chord.start < chord.end:
            kept.append(chord._replace(start=max(chord.start, new.end)))
    return sorted([*kept, new])


def chord_at(chords, time):
    return next((chord for chord in reversed(chords) if chord.start <= time + 1e-6), chords[0])


def lead_chords(chords, boundaries, mode, random, sung):
    """Every boundary begins a chord that lasts as long as it is held; some come by way of a dominant.

    `sung`: the chords belong to a tune, and should mostly be left as they are.
    """
    for boundary in boundaries:
        arrival = chord_at(chords, boundary.start)
        end = max(arrival.end, boundary.start + boundary.hold)
        chords = overlay(chords, arrival._replace(start=boundary.start, end=end))
        if "dominant" in boundary.ways and (not sung or random.random() < 0.4):
            first = boundary.start - boundary.cut - boundary.window
            root, quality = lead(random, arrival, mode)
            if first > 0:
                chords = overlay(chords, Chord(first, boundary.start, root, quality, root))
    return chords


# ------------------------------------------------------------------------------------------- in notes

def clear(notes, first, last):
    """No note begins from `first` to `last`, and none sounds into it."""
    return [note._replace(end=first) if note.start < first < note.end else note
            for note in notes if not first - 0.06 <= note.start < last - 0.06]


def playing(parts, first, last):
    """Families that begin a note in the stretch; the tune does not count."""
    return [family for family in parts if family != "tune" and
            any(first <= note.start < last for note in parts[family])]


def program_near(notes, time):
    """The program a family plays at this time."""
    return min(notes, key=lambda note: abs(note.start - time)).program if notes else None


def ladder(context):
    scale = {(context.key + step) % 12 for step in SCALES[context.mode]}
    return [pitch for pitch in range(40, 100) if pitch % 12 in scale]


def tone_near(chord, pitch):
    tones = {(chord.root + step) % 12 for step in QUALITIES[chord.quality]}
    return min((other for other in range(pitch - 6, pitch + 7) if other % 12 in tones),
               key=lambda other: abs(other - pitch))


def grid(first, last, step):
    return [first + index * step for index in range(round((last - first) / step))]


def play_fill(parts, boundary, first, chord, context, random):
    """Drums leave their groove and run into the boundary."""
    if "drums" not in playing(parts, first - 4, boundary.start + 4):
        return
    parts["drums"] = clear(parts["drums"], first, boundary.start)
    step = 0.5 if context.tempo > 126 else random.choice((0.25, 0.25, 0.5, 1 / 3))
    kind = random.choice(("toms", "toms", "snare", "gather", "both"))
    times = grid(first, boundary.start, step)
    if kind == "gather":
        half = (first + boundary.start) / 2
        times = [time for time in times if time >= half - 0.01 or (time - first) / step % 2 < 0.01]
    for index, time in enumerate(times):
        if random.random() < 0.1 and index:
            continue
        pitch = TOMS[index * len(TOMS) // len(times)] if kind in ("toms", "both") else SNARE
        parts["drums"].append(Note(time, time + 0.1, pitch, layers.VELOCITY, DRUMS))
        if kind == "both" and index % 2 == 0:
            parts["drums"].append(Note(time, time + 0.1, SNARE, layers.VELOCITY, DRUMS))


def play_run(parts, boundary, first, chord, context, random):
    """The tune, or an instrument, runs along the scale to a note of the chord."""
    steps = ladder(context)
    has_tune = any(first - 4 <= note.start < first for note in parts["tune"])
    name = "tune" if has_tune else random.choice([family for family in playing(parts, first - 4, boundary.start)
                                                  if family in ("strings", "piano", "guitar")] or ["strings"])
    program = program_near(parts[name], first)
    if program is None:
        program = 48
    target = tone_near(chord, random.choice((67, 72, 74, 79) if name != "guitar" else (64, 67)))
    step = 0.5 if context.tempo > 112 or random.random() < 0.3 else 0.25
    times = grid(max(first, boundary.start - 8 * step), boundary.start, step)
    top = min(range(len(steps)), key=lambda index: abs(steps[index] - target))
    way = random.choice((-1, -1, 1))
    if has_tune:
        parts["tune"] = clear(parts["tune"], times[0], boundary.start + 1)
    for index, time in enumerate(times):
        place = top + way * (len(times) - index)
        pitch = steps[max(0, min(len(steps) - 1, place))]
        parts[name].append(Note(time, time + step, pitch, layers.VELOCITY, program))
    parts[name].append(Note(boundary.start, boundary.start + min(boundary.hold, 2), target, layers.VELOCITY, program))


def play_sweep(parts, boundary, first, chord, context, random):
    """Harp or piano up the chord."""
    before = chord_at(context.chords, boundary.start - 0.5)
    pitches = [pitch for pitch in range(43, 92)
               if (pitch - before.root) % 12 in QUALITIES[before.quality]]
    step = 0.25 if context.tempo < 100 else 0.5
    times = grid(max(first, boundary.start - 10 * step), boundary.start, step)
    start = random.randrange(max(1, len(pitches) - len(times)))
    for time, pitch in zip(times, pitches[start:]):
        parts["strings"].append(Note(time, boundary.start if step < 0.3 else time + 2 * step, pitch, layers.VELOCITY,
                                     46))


def play_approach(parts, boundary, first, chord, context, random):
    """The bass walks to the new root."""
    program = program_near(parts["bass"], first)
    if program is None or "bass" not in playing(parts, first - 4, boundary.start + 4):
        return
    target = 28 + (chord.bass - 28) % 12
    step = 1 if boundary.window >= 2 and random.random() < 0.6 else 0.5
    times = grid(first, boundary.start, step)[-5:]
    rising = random.random() < 0.75
    if target - len(times) < 26 and rising:
        target += 12
    scale = {(context.key + interval) % 12 for interval in SCALES[context.mode]}
    pitch, walk = target, []
    for index in range(len(times)):
        pitch += -1 if rising else 1
        while index and pitch % 12 not in scale and len(times) < 4:
            pitch += -1 if rising else 1
        walk.append(pitch)
    parts["bass"] = clear(parts["bass"], times[0], boundary.start)
    for time, pitch in zip(times, reversed(walk)):
        parts["bass"].append(Note(time, time + 0.9 * step, pitch, layers.VELOCITY, program))


def play_thin(parts, boundary, first, chord, context, random):
    """All but one or two stay away until the boundary."""
    heard = playing(parts, first - 4, first)
    if len(heard) < 2:
        return
    kept = random.sample(heard, 1 if len(heard) < 4 else 2)
    for family in heard:
        if family not in kept and not (family == "drums" and "fill" in boundary.ways):
            parts[family] = clear(parts[family], first, boundary.start)


def play_stop(parts, boundary, first, chord, context, random):
    """A breath of silence."""
    gap = min(random.choice((0.5, 1, 1)), 1.1 * context.tempo / 60)
    for family in parts:
        parts[family] = clear(parts[family], boundary.start - gap, boundary.start)


RHYTHMS = ((1, 0.5), (1, 0.75, 0.5, 0.25), (1.5, 0.75), (1.5, 1, 0.5), (2, 1.5, 1, 0.5), (2, 1))  # beats ahead


def play_hits(parts, boundary, first, chord, context, random):
    """Everybody strikes the same short rhythm into the boundary."""
    rhythm = random.choice([rhythm for rhythm in RHYTHMS if rhythm[0] <= max(boundary.window, 1)])
    start = boundary.start - rhythm[0]
    before = chord_at(context.chords, start)
    for family in playing(parts, start - 4, start):
        program = program_near(parts[family], start)
        parts[family] = clear(parts[family], start, boundary.start)
        for ahead in rhythm:
            time = boundary.start - ahead
            pitches = [SNARE, KICK] if family == "drums" else [28 + (before.bass - 28) % 12] if family == "bass" else \
                layers.voicing(before, 60)
            parts[family] += [Note(time, time + 0.22, pitch, layers.VELOCITY, program) for pitch in pitches]


def play_riser(parts, boundary, first, chord, context, random):
    """Strings repeat a note that climbs to the chord."""
    steps = ladder(context)
    target = tone_near(chord, random.choice((67, 72, 76)))
    top = min(range(len(steps)), key=lambda index: abs(steps[index] - target))
    step = 0.25 if context.tempo < 120 else 0.5
    program = random.choice((44, 48, 49, 45))
    span = max(1.0, min(2 * boundary.window, 4.0))
    start = max(boundary.start - span, context.previous + 1)
    for time in grid(start, boundary.start, step):
        place = top - math.ceil(boundary.start - time)
        parts["strings"].append(Note(time, time + 0.9 * step, steps[max(place, 0)], layers.VELOCITY, program))


def play_phrase(parts, boundary, first, chord, context, random):
    """The tune comes to rest on a note of the chord, and breathes."""
    before = [note for note in parts["tune"] if boundary.start - 4 <= note.start < boundary.start]
    if not before:
        return
    last = max(before, key=lambda note: note.start)
    end = boundary.start + random.choice((1, 1.5, 2, 2))
    parts["tune"] = clear(parts["tune"], boundary.start, end + 0.5)
    parts["tune"].append(Note(boundary.start, end, tone_near(chord, last.pitch), layers.VELOCITY, last.program))


def long_way(boundary, context, random):
    """The beats of a long preparation, four to sixteen before the boundary and 8 s at most, or none."""
    room = math.floor(min(boundary.start - context.previous - 2.5, 8 * context.tempo / 60))
    if room < 4:
        return []
    return [boundary.start - ahead for ahead in range(min(room, random.choice((6, 8, 12, 16))), 0, -1)]


def play_build(parts, boundary, first, chord, context, random):
    """Families come in one after the other until the boundary."""
    beats = long_way(boundary, context, random)
    heard = [family for family in BY_WEIGHT if beats and family in playing(parts, beats[0], boundary.start)]
    for index, family in enumerate(heard[1:], 1):
        parts[family] = clear(parts[family], beats[0], beats[len(beats) * index // len(heard)])


def play_ebb(parts, boundary, first, chord, context, random):
    """Families leave one after the other until the boundary brings them back."""
    beats = long_way(boundary, context, random)
    heard = [family for family in BY_WEIGHT if beats and family in playing(parts, beats[0], boundary.start)]
    for index, family in enumerate(heard[:0:-1], 1):
        parts[family] = clear(parts[family], beats[len(beats) * index // (len(heard) + 1)], boundary.start)


def play_climb(parts, boundary, first, chord, context, random):
    """A figure of chord notes climbs through the octaves, or comes down."""
    beats = long_way(boundary, context, random)
    if not beats:
        return
    low, high = random.choice(((48, 72), (55, 79), (52, 84), (79, 55)))
    family, program = random.choice((("strings", 48), ("strings", 45), ("strings", 46), ("piano", 0)))
    step, figure = 1 if context.tempo > 150 else 0.5, random.choice(((0, 1), (0, 1, 2, 1), (0, 0), (0, 2, 1)))
    times = grid(beats[0], boundary.start, step)
    for index, time in enumerate(times):
        under = chord_at(context.chords, time)
        centre = low + (high - low) * index // len(times)
        tones = [pitch for pitch in range(centre - 6, centre + 12)
                 if (pitch - under.root) % 12 in QUALITIES[under.quality]]
        pitch = tones[figure[index % len(figure)]]
        parts[family].append(Note(time, time + 0.95 * step, pitch, layers.VELOCITY, program))


BY_WEIGHT = ("strings", "piano", "guitar", "bass", "drums")  # who comes first when music grows
PLAYERS = {"build": play_build, "ebb": play_ebb, "climb": play_climb, "thin": play_thin, "riser": play_riser,
           "hits": play_hits, "fill": play_fill, "approach": play_approach, "sweep": play_sweep,
           "phrase": play_phrase, "run": play_run, "stop": play_stop}

# chords, key, mode, tempo of the place; previous: the boundary before.
Context = namedtuple("Context", "chords key mode tempo previous")


def prepare(parts, boundary, context, random):
    """Plays what leads to the boundary into `parts`, family or "tune" -> notes, in the order of PLAYERS."""
    chord = chord_at(context.chords, boundary.start)
    first = boundary.start - boundary.window
    for way, play in PLAYERS.items():
        if way in boundary.ways and not (way == "riser" and "stop" in boundary.ways):
            play(parts, boundary, first, chord, context, random)
    if boundary.ways and playing({"drums": parts["drums"]}, first - 4, boundary.start + 4) and random.random() < 0.75:
        parts["drums"] += [Note(boundary.start, boundary.start + 0.1, pitch, layers.VELOCITY, DRUMS)
                           for pitch in (random.choice(CRASHES), KICK)]


def strike(parts, boundary, context, holder, program, families, all_stop, random):
    """`holder` strikes the chord of the boundary and holds it; in an all-stop only strings and tune go on."""
    chord = chord_at(context.chords, boundary.start)._replace(start=boundary.start, end=boundary.start + boundary.hold)
    voices = layers.held([chord], program, random.choice((55, 60, 62)))
    if len(voices) < 4 and random.random() < 0.5:  # deepen it by the root below
        lowest = min(voices)
        voices.append(lowest._replace(pitch=lowest.pitch - 1 - (lowest.pitch - 1 - chord.root) % 12))
    for family in (holder, *(("drums", "bass", "piano", "guitar") if all_stop else ())):
        after = boundary.start + (0.15 if family == "drums" else 0)  # drums may mark the moment itself
        parts[family] = clear(parts[family], after, chord.end)
    if all_stop or boundary.ways and random.random() < 0.6:
        program = program_near(parts["bass"], boundary.start)
        if "bass" in families and program is not None:
            parts["bass"] = clear(parts["bass"], boundary.start, boundary.start + 1)
            end = chord.end if all_stop else boundary.start + 1
            parts["bass"] += layers.bass([chord._replace(end=end)], program, None)
    pitches = {note.pitch for note in voices}
    parts["tune"] = [note for note in parts["tune"] if family_of(note.program) != holder or note.pitch not in pitches or
                     not boundary.start - 0.06 <= note.start < chord.end - 0.1]
    parts[holder] += voices
