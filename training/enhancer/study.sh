#!/usr/bin/env bash
# The study of filter overfitting (docs/SOUND.md): the same small budget for
# every network, then one table.
#
#     training/enhancer/study.sh WORK [emsync]
#
# WORK/train: music to learn from; WORK/pieces, WORK/bank: other pieces, with
# a bank of the training and with one never heard; WORK/pieces-dull and
# WORK/bank-dull (may be missing): pieces with hardly any treble. Resumes
# what was interrupted. render.sh makes these folders.
set -eu
work=$1
emsync=${2:-emsync}
mkdir -p "$work/weights"

train() { # train NAME options...
    local out=$work/weights/$1.safetensors
    shift
    [ -e "$out" ] && return
    local resume=()
    [ -e "$out.ckpt" ] && resume=(--resume)
    "$emsync" train enhancer "$work/train" -o "$out" --tune-seconds 60 \
        --batch 2 --validate 100 --threads 1 --progress none -y \
        ${resume[@]+"${resume[@]}"} "$@"
}

resnet="--kind resnet --width 24 --blocks 4 --steps 400 --lr 4e-3"
unet="--kind unet --width 10 --steps 250 --lr 2e-3"
train resnet-plain $resnet --filters one
train resnet-norm $resnet --filters one --batch-norm
train resnet-dropout $resnet --filters one --dropout 0.5
train resnet-bank $resnet --filters bank
train resnet-random $resnet --filters random
train unet-plain $unet --filters one
train unet-norm $unet --filters one --batch-norm
train unet-dropout $unet --filters one --dropout 0.5
train unet-bank $unet --filters bank
train unet-random $unet --filters random

for set in pieces bank pieces-dull bank-dull; do
    [ -d "$work/$set" ] || continue
    for w in "$work"/weights/*.safetensors; do
        printf '%s, %s\n' "$set" "$(basename "$w" .safetensors)"
        "$emsync" evaluate enhancer "$work/$set" --weights "$w" --seconds 4 \
            --filters cheby1-6,butter-6 --threads 1 --progress none
    done
done | tee "$work/table.txt"
