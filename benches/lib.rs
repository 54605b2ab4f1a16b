//! What the benches share: an interleaved harness and its medians of ratios.
