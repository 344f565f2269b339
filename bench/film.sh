#!/bin/sh
# Make the film that docs/SPEED.md measures with: SECONDS of 1920x1080 at 24
# frames a second, H.264 at about 10 Mb/s with sound, a hard cut every 3 s.
#   bench/film.sh OUT.mp4 [SECONDS]
set -eu
out=$1
seconds=${2:-60}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
while [ $((n * 3)) -lt "$seconds" ]; do
    case $((n % 5)) in
    0) source="testsrc2=s=1920x1080:r=24" ;;
    1) source="mandelbrot=s=1920x1080:r=24:start_scale=$((n % 3 + 1))" ;;
    2) source="gradients=s=1920x1080:r=24:seed=$n" ;;
    3) source="life=s=480x270:r=24:seed=$n:mold=10,scale=1920:1080" ;;
    4) source="smptehdbars=s=1920x1080:r=24" ;;
    esac
    ffmpeg -v error -y -f lavfi -i "$source" -t 3 \
        -vf "noise=alls=12:allf=t,format=yuv420p" \
        -c:v libx264 -preset veryfast -crf 20 "$work/$n.mp4"
    echo "file '$n.mp4'" >>"$work/list.txt"
    n=$((n + 1))
done
ffmpeg -v error -y -f concat -i "$work/list.txt" \
    -f lavfi -i "anoisesrc=c=pink:r=48000:a=0.1:d=$seconds" \
    -map 0:v -map 1:a -c:v copy -c:a aac -t "$seconds" "$out"
