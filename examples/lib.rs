//! Examples live beside this file, one idea each; see `[[example]]` in `Cargo.toml`.
