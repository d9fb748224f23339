#!/usr/bin/env bash
# Train, evaluate, predict and explain on the built-in molecules, then name the files that were written.
# usage: BIN=.venv/bin tools/demo.sh runs/demo
set -euo pipefail
cd "$(dirname "$0")/.."
: "${BIN:=.venv/bin}"
out="${1:-runs/demo}"
exec </dev/null
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # small batches: one thread is faster than two that wait for each other

rm -rf "$out" # a run folder is written once
mkdir -p "$out"
model=(--set hidden_channels=64 --set num_layers=2 --set block_norm=batch)

echo "== train: learn logP of the built-in molecules"
"$BIN/plstm-graph" train --data demo --target logp --epochs 8 --warmup-epochs 1 --lr 2e-3 "${model[@]}" --out "$out/model"

echo "== evaluate: two short runs with different seeds"
"$BIN/plstm-graph" evaluate demo --target logp --epochs 2 --warmup-epochs 1 --lr 2e-3 "${model[@]}" --seeds 0-1 \
  --out "$out/evaluation.jsonl"

echo "== predict: new molecules of the same kind, and one SMILES that cannot be read"
"$BIN/python" - "$out/molecules.csv" <<'PYTHON'
import sys

from plstm_graph.data import make_demo

table = make_demo(6, seed=1)[["smiles", "logp"]].rename(columns={"logp": "true_logp"})
table.loc[3, "smiles"] = "C1CCC"  # a ring that is never closed
table.to_csv(sys.argv[1], index=False)
PYTHON
"$BIN/plstm-graph" predict "$out/model" "$out/molecules.csv" --out "$out/predictions.csv"
cat "$out/predictions.csv"

echo "== explain: which atom hears which"
"$BIN/plstm-graph" explain "$out/model" "CC(=O)Oc1ccccc1C(=O)O" --name aspirin --out "$out/aspirin.html"

echo
echo "files written:"
for file in model/best.pt model/metrics.json model/report.html model/config.yaml evaluation.jsonl predictions.csv aspirin.html; do
  test -s "$out/$file" && echo "  $out/$file"
done
