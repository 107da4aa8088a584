"""A plan of faults, arms and repeats in; episodes on real stacks, their scores and gates out."""
