#!/usr/bin/env bash
# The shipped weights from nothing, in four stages. Each ran where the one before it had ended, on one CPU core; the
# minutes are training time. Stages 1 and 2 used the composer of their day: a commit, and a patch to it.
set -euo pipefail
work=${1:?a folder with 40 GB of room}
repository=$(git rev-parse --show-toplevel)
house=$work/house
fluid=/usr/share/sounds/sf2/FluidR3_GM.sf2
musescore=/usr/share/sounds/sf3/MuseScore_General_Full.sf3

# 1. 26 genres in 4/4, one soundfont: 58 minutes.
git clone "$repository" "$house" && git -C "$house" checkout 39c04c4
ln -s "$repository/.venv" "$house/.venv"
(cd "$house" && .venv/bin/python -m cli.main corpus "$work/1" --count 3200 --first-seed 1 &&
    .venv/bin/python -m cli.main train "$work/1" --out "$work/run-1" --minutes 58)

# 2. The same composer with more solos and fewer dropped mentions, two soundfonts: 44 minutes at a constant rate.
git -C "$house" apply "$repository/generation/training/runs/riff-small-2.patch"
(cd "$house" && .venv/bin/python -m cli.main corpus "$work/2" --count 1600 --first-seed 100001 --soundfont "$fluid" &&
    .venv/bin/python -m cli.main corpus "$work/2" --count 1600 --first-seed 200001 --soundfont "$musescore" &&
    WARM=$work/run-1/model/transformer .venv/bin/python -m cli.main train "$work/2" --out "$work/run-2" --minutes 44)
# (Its weights are carried over to today's transformer by giving 3/4 and 6/8 the first twelve places of a 4/4 bar.)

# 3. Today's corpus: 49 genres, three metres, our own synthesiser.
riff=$repository/.venv/bin/riff
"$riff" corpus "$work/3" --count 3600 --first-seed 1
"$riff" corpus "$work/3-solos" --count 6400 --first-seed 20001 --solos
"$riff" train "$work/3" "$work/3-solos" --out "$work/run-3" --start "$work/run-2/model" \
    --minutes 42 --learning-rate 6e-4 --plateau 0.4

# 4. Guidance distilled into one pass.
"$riff" train "$work/3" "$work/3-solos" --out "$work/run-4" --teacher "$work/run-3/model" \
    --minutes 24 --learning-rate 3e-4 --plateau 0.3
# (Stage 4 as it was run: averaged weights over .995 and 60 steps of warm-up, and 10.5 minutes prolonged to 24.)

# 5. The codec's network. What ships is 24 minutes of a prototype and then this command to 76 minutes in four sittings,
# on 320 loops of FluidR3, 256 of MuseScore (seeds from 4000000 and 4100000, stage 1's composer) and 128 of today's
# composer while it was being written: its bytes cannot be made again, its like can.
"$riff" corpus "$work/5" --count 704 --first-seed 4000000
"$repository/.venv/bin/python" -m generation.training.inverse "$work/5" --out "$work/run-5"

# 6. The network that finds beats (its docstring says how what ships differs).
"$riff" corpus "$work/6" --count 2400 --first-seed 0
"$repository/.venv/bin/python" -m generation.training.grid "$work/6" --out "$work/grid.npz"

# 7. What the market hears and compares with (generation/embedding): 9 minutes of rendering and 9 of training, then the
# prints of stage 3's scores and the network that hears notes for them: 4 minutes.
"$repository/.venv/bin/python" -m generation.training.embedding hear "$work/7"
"$repository/.venv/bin/python" -m generation.training.embedding learn "$work/7" --out "$work/ear.npz"
"$repository/.venv/bin/python" -m generation.training.originality --out "$work/prints.npz"
