//! Hands the arguments to `cli`.

use std::process::ExitCode;

/// Chosen by what a waiting connection keeps, and for requests of many small values; the figures
/// are in `bench/README.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    portreeve::cli::main()
}
