//! The `backstop` command: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    backstop::cli::run(backstop::cli::Cli::parse())
}
