#!/usr/bin/env python3
"""Free band music out of Debian's packages.

    ./free_midi.py MUSIC/midi-free

Downloads five packages with apt-get (22 MB; nothing is installed) and copies
their MIDI files to a folder per source, each with its copyright file.
"""
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = {"freedoom": "freedoom", "mma-examples": "mma", "openttd-openmsx": "openttd-openmsx",
            "planetblupi": "planetblupi-music-midi", "simutrans": "simutrans-data"}


def midi_of_wad(data):
    """Doom's archive: a directory of lumps at the end; those that are MIDI."""
    count, directory = struct.unpack_from("<II", data, 4)
    for i in range(count):
        at, size, name = struct.unpack_from("<II8s", data, directory + 16 * i)
        if data[at:at + 4] == b"MThd":
            yield name.rstrip(b"\0").decode("ascii").lower(), data[at:at + size]


def unpack(package, folder):
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL)
    archive = next(folder.glob(f"{package}_*.deb"))
    subprocess.run(["dpkg-deb", "-x", archive, folder / package], check=True)
    return folder / package


def gather(package, root, target):
    target.mkdir(parents=True, exist_ok=True)
    copyright_file = root / "usr/share/doc" / package / "copyright"
    (target / "COPYING").write_bytes(copyright_file.read_bytes())
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix.lower() == ".mid":
            (target / path.name).write_bytes(path.read_bytes())
        elif path.suffix == ".wad":
            for name, data in midi_of_wad(path.read_bytes()):
                (target / f"{path.stem}-{name}.mid").write_bytes(data)
    return len(list(target.glob("*.mid")))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        for source, package in PACKAGES.items():
            files = gather(package, unpack(package, Path(scratch)), out / source)
            print(f"{source}: {files} files of Debian's {package}")


if __name__ == "__main__":
    main()
