//! Added and removed files of the page are noticed; changed ones are anyway.

fn main() {
    println!("cargo::rerun-if-changed=web");
    println!("cargo::rerun-if-changed=migrations");
}
