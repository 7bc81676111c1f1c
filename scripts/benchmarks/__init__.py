"""What ``scripts/bench`` measures: nbvc and its peers, side by side in one run."""
