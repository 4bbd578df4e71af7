//! Bartizan, `bpf`.
