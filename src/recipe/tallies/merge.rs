//! Sorted runs of tallies joined into one, in bounded memory.
