"""The index of versions: records, states, their keys and their encoding. Pure logic."""
