#!/usr/bin/env bash
# The study of filter overfitting (docs/SOUND.md): the same small budget for
# every network of a kind, then one table.
#
#     training/enhancer/study.sh WORK [emsync] ["NETWORKS"]
#
# WORK/train: music to learn from; WORK/pieces and WORK/bank: other pieces,
# played by a bank of the training and by one never heard; WORK/songs,
# WORK/pieces-dull, WORK/bank-dull (may be missing): recordings, and pieces
# with hardly any treble. render.sh makes these folders. NETWORKS: some of
# those below, to share the work between commands; none: all. Resumes what
# was interrupted, prints what it has.
set -eu
work=$1
emsync=${2:-emsync}
all=""
for kind in resnet unet; do
    for how in plain norm dropout bank random; do
        all="$all $kind-$how"
    done
done
mkdir -p "$work/weights" "$work/scores"

train() { # train NAME options...
    local out=$work/weights/$1.safetensors
    shift
    [ -e "$out" ] && return
    local resume=()
    [ -e "$out.ckpt" ] && resume=(--resume)
    "$emsync" train enhancer "$work/train" -o "$out" --tune-seconds 40 \
        --batch 1 --validate 0 --threads 1 --progress none -y \
        ${resume[@]+"${resume[@]}"} "$@"
}

score() { # score NAME: a line "SET FILTER before after" for each
    local out=$work/scores/$1 set
    [ -s "$out" ] && return
    for set in pieces bank songs pieces-dull bank-dull; do
        [ -d "$work/$set" ] || continue
        "$emsync" evaluate enhancer "$work/$set" --seconds 4 --threads 1 \
            --weights "$work/weights/$1.safetensors" --progress none \
            --filters cheby1-6,butter-6 --json |
            tr -d ' \n' | grep -o '"filter":"[^}]*' |
            sed "s/.*\"filter\":\"\([^\"]*\)\".*\"snr_in\":\([-0-9.]*\).*\"snr_out\":\([-0-9.]*\).*/$set \1 \2 \3/"
    done >"$out.new"
    mv "$out.new" "$out"
}

for name in ${3:-$all}; do
    budget="--kind resnet --width 24 --blocks 4 --steps 2000 --lr 2e-2"
    [ ${name%-*} = unet ] &&
        budget="--kind unet --width 10 --steps 500 --lr 2e-2"
    case ${name#*-} in
    plain) train $name $budget --filters one ;;
    norm) train $name $budget --filters one --batch-norm ;;
    dropout) train $name $budget --filters one --dropout 0.5 ;;
    *) train $name $budget --filters ${name#*-} ;;
    esac
    score $name
done

# Gain over the input, dB: seen and unseen filter.
cd "$work/scores"
for name in $all; do
    [ -s $name ] || continue
    awk -v name=$name 'NR == 1 { printf "%-15s", name }
        { printf "%s%-12s %6.2f %+6.2f", NR % 2 ? "\n  " : "   ",
                 NR % 2 ? $1 : "", $3, $4 - $3 }
        END { print "" }' $name
done
