"""Film-like accompaniments made of layers alone: pads, suspense, reverie, minimal patterns, chases, epic marches."""

import layers

PADS, LOW_STRINGS, BASSES = (48, 49, 50, 52, 89), (42, 43, 44, 48), (32, 33, 38)
PIANOS, GUITARS = (0, 0, 1), (24, 25, 26)


def pads(chords, step, random):
    pick = random.choice
    return [layers.held(chords, pick(PADS), pick((60, 64, 67))), layers.bass(chords, pick(BASSES), None),
            layers.held(chords, pick(PIANOS), 55) if random.random() < 0.5
            else layers.arpeggio(chords, pick(PIANOS), 64, 1, random),
            layers.arpeggio(chords, pick(GUITARS), 58, 2 * step, random)]


def reverie(chords, step, random):
    pick = random.choice
    return [layers.arpeggio(chords, pick(PIANOS), pick((60, 64, 70)), step, random),
            layers.held(chords, pick(PADS), 67),
            layers.bass(chords, pick(BASSES), None), layers.held(chords, pick(GUITARS), 55)]


def suspense(chords, step, random):
    pick = random.choice
    drone = [chord._replace(root=chords[0].root, bass=chords[0].root) for chord in chords]
    return [layers.held(chords, pick((44, 44, 50, 52)), pick((52, 56, 72))),
            layers.bass(pick((drone, chords)), pick(BASSES), pick((None, 1, 2 * step))),
            layers.ostinato(chords, pick(PIANOS), pick((72, 79)), 1, random),
            layers.pulse(chords, pick((26, 28)), 55, 2, 0.4)]


def minimal(chords, step, random):
    pick = random.choice
    return [layers.arpeggio(chords, pick(PIANOS), 62, step, random),
            layers.pulse(chords, pick(PADS), 58, pick((1, step)), 0.8),
            layers.bass(chords, pick(BASSES), pick((None, 2))),
            layers.ostinato(chords, pick(GUITARS), 64, step, random)]


def heartbeat(chords, step, random):
    pick = random.choice
    return [layers.bass(chords, pick(BASSES), 1), layers.held(chords, pick(PADS), pick((56, 63))),
            layers.pulse(chords, pick(PIANOS), 52, pick((1, 2)), 0.5),
            layers.ostinato(chords, pick((24, 28)), 57, step, random)]


def epic(chords, step, random):
    pick = random.choice
    return [layers.held(chords, pick((60, 61, 48)), pick((55, 62))),
            layers.ostinato(chords, pick((45, 48)), 62, step, random),
            layers.bass(chords, pick(BASSES), pick((1, step))),
            layers.pulse(chords, pick(PIANOS), pick((48, 60)), pick((1, 2)), 0.9),
            layers.pulse(chords, pick((29, 30)), 50, pick((1, step)), 0.9)]


def chase(chords, step, random):
    pick = random.choice
    return [layers.ostinato(chords, pick(LOW_STRINGS), pick((48, 55)), step / pick((1, 1, 2)), random),
            layers.pulse(chords, pick((61, 48)), 64, 2, 0.3), layers.bass(chords, pick(BASSES), step),
            layers.pulse(chords, pick(PIANOS), 48, pick((1, step)), 0.5),
            layers.pulse(chords, pick((28, 29, 30)), 52, step, 0.5)]


STYLES = {f"film {style.__name__}": style for style in (pads, reverie, suspense, minimal, heartbeat, epic, chase)}


def play(name, chords, random):
    """All notes of one variant of a film style; call it again for a contrasting one."""
    return [note for layer in STYLES[name](chords, 0.5, random) for note in layer]
