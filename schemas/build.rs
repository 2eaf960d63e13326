//! A new migration file is compiled in even when no Rust changes.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
