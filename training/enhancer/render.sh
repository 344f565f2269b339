#!/usr/bin/env bash
# Music for the study from a folder of MIDI files (training/arrange makes
# some): pieces by the thousand are not needed, a dozen with drums are.
#
#     training/enhancer/render.sh MIDI WORK UNHEARD.sf3 [emsync]
#
# Every fourth piece is kept for testing. The rest are played by FluidR3 and
# TimGM6mb by turns, the tests by FluidR3 and by UNHEARD, a third bank (such
# as Debian's musescore-general-soundfont-small). A test piece goes to the
# dull ones when the Butterworth filter takes less than 30 dB below it.
# Recordings, such as those of Debian's singularity-music, go by hand: some
# into WORK/train, others into WORK/songs.
set -eu
midi=$1
work=$2
unheard=$3
emsync=${4:-emsync}
banks=(/usr/share/sounds/sf2/FluidR3_GM.sf2 /usr/share/sounds/sf2/TimGM6mb.sf2)
mkdir -p "$work"/{train,pieces,bank,pieces-dull,bank-dull,try}

play() { # play MIDI BANK WAV
    [ -e "$3" ] || "$emsync" render "$1" --soundfont "$2" -o "$3" --lufs -18 \
        --threads 1 --progress none -y
}

n=0
for f in "$midi"/*.mid; do
    name=$(basename "$f" .mid).wav
    n=$((n + 1))
    if [ $((n % 4)) != 0 ]; then
        play "$f" "${banks[n % 2]}" "$work/train/$name"
        continue
    fi
    rm -f "$work"/try/*
    play "$f" "${banks[0]}" "$work/try/$name"
    dull=$("$emsync" evaluate enhancer "$work/try" --filters butter-6 --json |
        grep -o '"snr_in": *[0-9.]*' | awk -F: '{print ($2 > 30) ? "-dull" : ""}')
    mv "$work/try/$name" "$work/pieces$dull/$name"
    play "$f" "$unheard" "$work/bank$dull/$name"
done
rm -rf "$work/try"
