"""Everything that can be done with a store alone, without a local folder."""
