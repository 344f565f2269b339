"""Parts that are played over, or in place of, what mma makes: held chords, pads, arpeggios, pulses, basses."""

from midi import Note
from songs import QUALITIES

VELOCITY = 80


def voicing(chord, centre, previous=()):
    """The chord in close position, near `centre`, moving as little as possible from the chord before."""
    pitches = {(chord.root + step) % 12 for step in QUALITIES[chord.quality]}
    best, best_cost = None, None
    for lowest in range(centre - 12, centre + 6):
        if lowest % 12 in pitches:
            notes = sorted(lowest + (pitch - lowest) % 12 for pitch in pitches)
            middle = sum(notes) / len(notes)
            moves = sum(min(abs(note - old) for old in previous) for note in notes) if previous else 0
            cost = abs(middle - centre) + 0.7 * moves
            if best is None or cost < best_cost:
                best, best_cost = notes, cost
    return best


def voicings(chords, centre):
    previous = ()
    for chord in chords:
        previous = voicing(chord, centre, previous)
        yield chord, previous


def held(chords, program, centre):
    """Every chord struck once and held."""
    return [Note(chord.start, chord.end, pitch, VELOCITY, program)
            for chord, pitches in voicings(chords, centre) for pitch in pitches]


def arpeggio(chords, program, centre, step, random):
    """Chord notes one after the other, up, down or wave-like."""
    shape = random.choice(("up", "down", "wave"))
    notes = []
    for chord, pitches in voicings(chords, centre):
        ladder = pitches + [pitches[0] + 12]
        if shape == "down":
            ladder = ladder[::-1]
        elif shape == "wave":
            ladder = ladder + ladder[-2:0:-1]
        now, place = chord.start, 0
        while now < chord.end - 1e-6:
            notes.append(Note(now, min(now + step, chord.end), ladder[place % len(ladder)], VELOCITY, program))
            now, place = now + step, place + 1
    return notes


def pulse(chords, program, centre, step, share):
    """Repeated chords; `share` of the step sounds."""
    notes = []
    for chord, pitches in voicings(chords, centre):
        now = chord.start
        while now < chord.end - 1e-6:
            end = min(now + step * share, chord.end)
            notes += [Note(now, end, pitch, VELOCITY, program) for pitch in pitches]
            now += step
    return notes


def ostinato(chords, program, centre, step, random):
    """A restless figure of root, fifth and neighbours, as low strings play it under a chase."""
    figure = random.choice(((0, 0, 1, 0), (0, 1, 2, 1), (0, 0, 0, 1), (0, 2, 1, 2), (0, 1, 0, 2, 0, 1)))
    notes = []
    for chord, pitches in voicings(chords, centre):
        now, place = chord.start, 0
        while now < chord.end - 1e-6:
            pitch = pitches[figure[place % len(figure)] % len(pitches)]
            notes.append(Note(now, min(now + 0.8 * step, chord.end), pitch, VELOCITY, program))
            now, place = now + step, place + 1
    return notes


def bass(chords, program, step):
    """Bass notes: held for the whole chord when step is None, else repeated."""
    notes = []
    for chord in chords:
        pitch = 28 + (chord.bass - 28) % 12
        if step is None:
            notes.append(Note(chord.start, chord.end, pitch, VELOCITY, program))
            continue
        now = chord.start
        while now < chord.end - 1e-6:
            notes.append(Note(now, min(now + 0.9 * step, chord.end), pitch, VELOCITY, program))
            now += step
    return notes
