//! The agent alone: what is put into pods.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(u8::try_from(testudo_agent::pod::main()).unwrap_or(1))
}
