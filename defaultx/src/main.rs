//! The one binary. Wiring only: see the library.

fn main() {
    std::process::exit(defaultx::main_with(std::env::args()));
}
